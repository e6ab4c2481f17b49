"""An admin request goes to another broker if the first one chosen does not answer."""

from collections.abc import Callable

import pytest
from kafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
)

from ingest.edge.kafka.topics import MOST_BROKERS, AnyBroker


class Admins:
    """Opens admin clients; the first requests fail in the given ways, whichever client they are made of."""

    def __init__(self, *failures: Callable[[], Exception]) -> None:
        self.failures = list(failures)
        self.opened = self.closed = 0

    def open(self) -> "Admins":
        """Open another client."""
        self.opened += 1
        return self

    def close(self) -> None:
        """Close a client."""
        self.closed += 1

    def describe_topics(self, name: str) -> str:
        """Fail, or return the name."""
        if self.failures:
            raise self.failures.pop(0)()
        return name


@pytest.mark.parametrize("failure", [KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError, RequestTimedOutError])
def test_a_broker_that_does_not_answer_is_passed_over(failure: Callable[[], Exception]) -> None:
    """A new client asks the same, at once: the old one would go on with the controller that is gone."""
    admins = Admins(failure)

    assert AnyBroker(admins.open).describe_topics("t") == "t"
    assert (admins.opened, admins.closed) == (2, 1)


def test_what_a_broker_answers_is_the_answer() -> None:
    """A refusal is no silence, and silence of all has an end."""
    refused, silent = Admins(TopicAuthorizationFailedError), Admins(*[KafkaTimeoutError] * 9)
    with pytest.raises(TopicAuthorizationFailedError):
        AnyBroker(refused.open).describe_topics("t")
    with pytest.raises(KafkaTimeoutError):
        AnyBroker(silent.open).describe_topics("t")

    assert refused.opened == 1
    assert silent.opened == MOST_BROKERS
