"""Ship: files to an intake's topic, with the headers that tell where each message came from."""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from ingest.config import Settings
from ingest.core.model import Intake, Problem, Provenance
from ingest.core.sources import Source
from ingest.edge import files
from ingest.edge.kafka.connect import ENVELOPE_BYTES
from ingest.edge.kafka.producer import Producer, producer
from ingest.edge.kafka.topics import topics
from ingest.edge.ports import Letter, Unavailable
from ingest.run import headers

FLIGHT_MESSAGES = 5000
FLIGHT_BYTES = 8 * 1024 * 1024
CHUNK_MESSAGES = 100  # of a backfilled file, under one key: then every partition has work


@dataclass(frozen=True, slots=True)
class Shipment:
    """What is shipped, and how. `framing` None = as the intake's sources read; `host` None = this machine."""

    intake: Intake
    paths: tuple[Path, ...]
    framings: tuple[str, ...]
    forwarder: str
    framing: str | None = None
    backfill: bool = False
    host: str | None = None


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A message that was not sent, and where it lies."""

    path: Path
    offset_bytes: int
    size_bytes: int


@dataclass(slots=True)
class ShipReport:
    """What was acknowledged by Kafka, and what was not sent because it is too large."""

    topic: str
    limit_bytes: int
    messages: int = 0
    size_bytes: int = 0
    too_large: list[TooLarge] = field(default_factory=list)


def shipment(
    intake: Intake, sources: Mapping[str, Source], paths: Sequence[Path], version: str, **chosen: object
) -> Shipment:
    """A shipment whose framings are those of the intake's sources."""
    framings = tuple(sources[name].framing for name in intake.sources if name in sources)
    return Shipment(intake, tuple(paths), framings, f"perflog/{version}", **chosen)  # type: ignore[arg-type]


def ship(settings: Settings, what: Shipment, advance: Callable[[int], None] = lambda _: None) -> ShipReport:
    """Send everything; returns when every message was acknowledged. `advance` hears of bytes that were.

    Raises `Problem`: 66 a file cannot be read, 69 Kafka does not answer, 78 the topic is missing.
    """
    files.checked(what.paths)
    ways = {path: files.framing(path, what.framings, what.framing) for path in what.paths}
    report = ShipReport(what.intake.topic, _limit_bytes(settings, what.intake.topic))
    with producer(settings.kafka) as outbox:
        for path, way in ways.items():
            for flight in flights(_letters(path, way, what, report)):
                _send(outbox, flight, report)
                advance(sum(len(letter.value or b"") for letter in flight))
    return report


def _limit_bytes(settings: Settings, topic: str) -> int:
    with topics(settings.kafka) as cluster:
        there = cluster.described([topic]).get(topic)
    if there is None:
        raise Problem(f"There is no topic {topic} in Kafka.", "Run `perflog setup`.", 78)
    return min(settings.delivery.max_message_bytes, there.max_message_bytes - ENVELOPE_BYTES)


def _letters(path: Path, way: str, what: Shipment, report: ShipReport) -> Iterator[Letter]:
    host = what.host or socket.gethostname()
    where = str(path.absolute())
    captured_ms = files.modified_ms(path) if way == files.FILE else None
    numbers = count()
    for piece in files.pieces(path, way, report.limit_bytes):
        if piece.data is None:
            report.too_large.append(TooLarge(path, piece.offset_bytes, piece.size_bytes))
            continue
        told = Provenance(host, where, piece.offset_bytes, what.forwarder, captured_ms=captured_ms)
        key = f"{host}:{where}" + (f"#{next(numbers) // CHUNK_MESSAGES}" if what.backfill else "")
        yield Letter(
            what.intake.topic, key.encode("utf-8", "replace"), piece.data, headers.written(told, what.backfill)
        )


def flights(letters: Iterator[Letter]) -> Iterator[list[Letter]]:
    """Groups that are acknowledged before the next is read, so that memory stays bounded."""
    flight: list[Letter] = []
    size_bytes = 0
    for letter in letters:
        flight.append(letter)
        size_bytes += letter.size_bytes
        if len(flight) >= FLIGHT_MESSAGES or size_bytes >= FLIGHT_BYTES:
            yield flight
            flight, size_bytes = [], 0
    if flight:
        yield flight


def _send(outbox: Producer, flight: Sequence[Letter], report: ShipReport) -> None:
    try:
        outbox.send(flight)
    except Unavailable as error:
        what = f"Kafka stopped answering after {report.messages} messages were acknowledged ({error})."
        remedy = (
            "Ship the same files again when it is back: what arrives twice is counted as duplicate, not stored twice."
        )
        raise Problem(what, remedy, 69) from error
    report.messages += len(flight)
    report.size_bytes += sum(len(letter.value or b"") for letter in flight)
