"""Errors of the services: unavailable, blocked, request too large, fenced."""


class Unavailable(Exception):
    """The service did not answer, or is busy: the same request may succeed later."""


class ServiceBlocked(Exception):
    """The service refuses because of a permission, block or setting, not of a document: an operator must fix it."""


class RequestTooLarge(Exception):
    """The request as a whole is larger than the service accepts; smaller parts may pass."""


class Fenced(Exception):
    """The group revoked the partitions: records in flight must not be committed."""
