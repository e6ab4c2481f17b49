"""The rights that Kafka's authorizer grants: what is missing, named so that an operator can grant it.

Kafka says "authorization failed" and at best the topic. Which operation was meant is known to the caller.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kafka import errors

from ingest.config.settings import Kafka
from ingest.core.model import ExitCode, Problem

TOPIC, GROUP = "topic", "group"
READ, WRITE, CREATE, DELETE = "READ", "WRITE", "CREATE", "DELETE"
DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS = "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"
_KINDS = {errors.TopicAuthorizationFailedError: TOPIC, errors.GroupAuthorizationFailedError: GROUP}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


class Right(NamedTuple):
    """An operation on a resource, as Kafka's authorizer names them."""

    operation: str
    resource: str
    name: str

    def __str__(self) -> str:
        return f"{self.operation} on {self.resource} {self.name}"


def topic_rights(topics: Iterable[str], *operations: str) -> list[Right]:
    """Return these operations on each of the topics."""
    return [Right(operation, TOPIC, topic) for topic in topics for operation in operations]


def missing(rights: Sequence[Right], kafka: Kafka) -> Problem:
    """Return the `Problem` (77) that these rights are missing."""
    names = ", ".join(map(str, rights))
    first = rights[0]
    operation = first.operation.title().replace("_", "")
    grant = (
        f"kafka-acls --add --allow-principal {principal(kafka)} --operation {operation} --{first.resource} {first.name}"
    )
    others = " and so on" if len(rights) > 1 else ""
    return Problem(
        f"Kafka denies {principal(kafka)} {names}.",
        f"Grant it (`{grant}`{others}); deploy/README.md lists what each command needs.",
        ExitCode.NO_PERMISSION,
    )


def principal(kafka: Kafka) -> str:
    """Return the name by which Kafka's authorizer knows this client, unless the brokers map it."""
    return f"User:{kafka.user}" if kafka.user and kafka.protocol.startswith("SASL") else "User:ANONYMOUS"


def denied_rights(error: errors.KafkaError, asked: Sequence[Right]) -> list[Right]:
    """Return the rights whose lack an error tells; empty if it is about something else.

    `asked` are the rights that the failed call needs, READ if there are none. Kafka's answer names topics or the group,
    or nothing.
    """
    for kind, resource in _KINDS.items():
        if isinstance(error, kind):
            named = _named(error, [right for right in asked if right.resource == resource])
            return named or [Right(READ, resource, name) for name in _names(error.args)]
    # A producer that may write to no topic at all gets no producer id, and kafka-python keeps of that only the text.
    if "ClusterAuthorizationFailed" in str(error):
        return list(asked)
    return []


def _named(error: errors.KafkaError, asked: Sequence[Right]) -> list[Right]:
    """Return those of the rights whose resource the error names; all if it names none of them."""
    names = {name for argument in error.args for name in _names(argument)}
    return [right for right in asked if right.name in names] or list(asked)


def _names(argument: object) -> Iterable[str]:
    if isinstance(argument, str):
        return [argument] if _NAME.fullmatch(argument) else []  # a sentence names nothing for sure
    if isinstance(argument, set | frozenset | list | tuple):
        return [name for item in argument for name in _names(item)]
    return ()
