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


class Admin:
    """An admin client of which the first brokers fail in the given ways."""

    def __init__(self, *failures: Callable[[], Exception]) -> None:
        self.failures = list(failures)
        self.calls: list[str] = []

    def describe_topics(self, name: str) -> str:
        """Fail, or return the name."""
        self.calls.append(name)
        if self.failures:
            raise self.failures.pop(0)()
        return name


@pytest.mark.parametrize("failure", [KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError, RequestTimedOutError])
def test_a_broker_that_does_not_answer_is_passed_over(failure: Callable[[], Exception]) -> None:
    """The next one that kafka-python chooses is asked the same, at once."""
    admin = Admin(failure)

    assert AnyBroker(admin).describe_topics("t") == "t"
    assert admin.calls == ["t", "t"]


def test_what_a_broker_answers_is_the_answer() -> None:
    """A refusal is no silence, and silence of all has an end."""
    refused, silent = Admin(TopicAuthorizationFailedError), Admin(*[KafkaTimeoutError] * 9)
    with pytest.raises(TopicAuthorizationFailedError):
        AnyBroker(refused).describe_topics("t")
    with pytest.raises(KafkaTimeoutError):
        AnyBroker(silent).describe_topics("t")

    assert len(refused.calls) == 1
    assert len(silent.calls) == MOST_BROKERS
