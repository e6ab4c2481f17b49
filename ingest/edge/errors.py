"""What may go wrong with a service: it does not answer, it refuses, a request is too large, we were fenced off."""


class Unavailable(Exception):
    """The service did not answer, or said that it is busy: the same request may succeed later."""


class ServiceBlocked(Exception):
    """The service refuses, and not because of a document: a right, a block, a setting. Waits for a person."""


class RequestTooLarge(Exception):
    """The request as a whole is larger than the service takes; in smaller parts it may pass."""


class Fenced(Exception):
    """The group took the partitions away: what is in hand must not be committed."""
