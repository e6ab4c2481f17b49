"""Sends records at a steady rate, as a busy facility does, not in bursts. For tests and trials of the pipeline."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from ingest.core.kafka_record import ProducerRecord
from ingest.core.model import ExitCode, Problem
from ingest.edge.errors import RequestTooLarge, Unavailable
from ingest.edge.kafka.producer import AcknowledgedProducer

TICK_S = 0.05
LONGEST_BURST_S = 0.1  # a delay is made up for by bursts of at most that


@dataclass(frozen=True, slots=True)
class Pace:
    """How many messages were acknowledged, and the seconds from the first to the last."""

    messages: int
    duration_s: float

    @property
    def rate(self) -> float | None:
        """Messages a second; None for fewer than two messages."""
        return (self.messages - 1) / self.duration_s if self.messages > 1 and self.duration_s > 0 else None


def send_paced(
    producer: AcknowledgedProducer,
    records: Iterator[ProducerRecord],
    rate: float,
    advance: Callable[[int], None] = lambda _: None,
) -> Pace:
    """Send everything at `rate` messages a second; return when all of it was acknowledged.

    A sender that falls behind catches up by at most 0.1 s, and so takes longer. Raises `Problem` (69).
    """
    sent = _send(producer, list(islice(records, 1)), 0)  # the first one connects: the pace counts from then on
    begun = before = last = time.monotonic()
    due = 0.0
    while True:
        now = time.monotonic()
        due = min(due + (now - before) * rate, max(1.0, rate * LONGEST_BURST_S))
        before = now
        flight = list(islice(records, int(due)))
        if flight:
            sent += _send(producer, flight, sent)
            last = time.monotonic()
            advance(len(flight))
        if len(flight) < int(due):
            return Pace(sent, last - begun)
        due -= len(flight)
        time.sleep(max(0.0, now + TICK_S - time.monotonic()))


def _send(producer: AcknowledgedProducer, flight: Sequence[ProducerRecord], sent: int) -> int:
    try:
        if flight:
            producer.send(flight)
    except (Unavailable, RequestTooLarge) as error:
        problem = f"Kafka stopped accepting messages after {sent:,} ({error})."
        raise Problem(
            problem, "Send the same workload again: messages that arrive twice are stored once.", ExitCode.UNAVAILABLE
        ) from error
    return len(flight)
