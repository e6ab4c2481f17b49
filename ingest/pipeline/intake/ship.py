"""Ships files to an intake's topic, with headers that say where each message came from.

A manifest with the file's size precedes its first line, so that missing bytes are noticed if the shipper dies. When
Kafka has acknowledged every line, a second manifest says what was read (see core/tracking/manifest.py).
"""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from ingest.config.settings import Settings
from ingest.core.kafka_record import ProducerRecord
from ingest.core.model import ExitCode, Intake, Problem, Provenance
from ingest.core.records import headers
from ingest.core.sources.source import Source
from ingest.core.tracking import manifest
from ingest.edge import files
from ingest.edge.clock import now_ms
from ingest.edge.errors import Unavailable
from ingest.edge.files import ReadTally
from ingest.edge.kafka.client import ENVELOPE_BYTES
from ingest.edge.kafka.producer import AcknowledgedProducer, open_producer
from ingest.edge.kafka.topics import open_topics

FLIGHT_MESSAGES = 5000
FLIGHT_BYTES = 8 * 1024 * 1024
CHUNK_MESSAGES = 100  # of a backfilled file under one key, so that every partition has work


@dataclass(frozen=True, slots=True)
class Shipment:
    """What to ship, and how. `framing` None = as the intake's sources read; `host` None = this machine.

    Without `manifest` no manifests are sent.
    """

    intake: Intake
    paths: tuple[Path, ...]
    framings: tuple[str, ...]
    forwarder: str
    framing: str | None = None
    backfill: bool = False
    host: str | None = None
    manifest: bool = True


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A message that was not sent, and its place in the file."""

    path: Path
    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ShippedFile:
    """What was read of a file; `lost_bytes`: how much shorter that is than the file was at the start."""

    path: Path
    size_bytes: int
    lines: int
    sha256: str
    lost_bytes: int = 0


@dataclass(slots=True)
class ShipReport:
    """What Kafka acknowledged, file by file, and the messages that were too large to send.

    `messages` and `size_bytes` are those of the files; manifests are not counted.
    """

    topic: str
    limit_bytes: int
    messages: int = 0
    size_bytes: int = 0
    too_large: list[TooLarge] = field(default_factory=list)
    files: list[ShippedFile] = field(default_factory=list)


def shipment(
    intake: Intake, sources: Mapping[str, Source], paths: Sequence[Path], version: str, **chosen: object
) -> Shipment:
    """A shipment whose framings are those of the intake's sources."""
    framings = tuple(sources[name].framing for name in intake.sources if name in sources)
    return Shipment(intake, tuple(paths), framings, f"perflog/{version}", **chosen)  # type: ignore[arg-type]


def ship(settings: Settings, what: Shipment, advance: Callable[[int], None] = lambda _: None) -> ShipReport:
    """Send everything; return when every message was acknowledged. `advance` is called with the bytes acknowledged.

    Raises `Problem`: 66 a file cannot be read, 69 Kafka does not answer, 78 the topic is missing.
    """
    files.checked(what.paths)
    framings = {path: files.framing(path, what.framings, what.framing) for path in what.paths}
    report = ShipReport(what.intake.topic, _limit_bytes(settings, what.intake.topic))
    with open_producer(settings.kafka) as producer:
        for path, framing in framings.items():
            sent = _Sent(path, what, framing, files.size_bytes(path), files.generation(path))
            _send_manifest(producer, sent, manifest.BEGIN, report)
            for flight in flights(_records(sent, report)):
                _send(producer, flight, report)
                report.messages += len(flight)
                size_bytes = sum(len(record.value or b"") for record in flight)
                report.size_bytes += size_bytes
                advance(size_bytes)
            _send_manifest(producer, sent, manifest.END, report)
            report.files.append(sent.told)
    return report


@dataclass(slots=True)
class _Sent:
    """A file while it is sent."""

    path: Path
    what: Shipment
    way: str
    size_bytes: int
    generation: str | None
    tally: ReadTally = field(default_factory=ReadTally)

    @property
    def host(self) -> str:
        return self.what.host or socket.gethostname()

    @property
    def where(self) -> str:
        return str(self.path.absolute())

    @property
    def told(self) -> ShippedFile:
        read = self.tally
        return ShippedFile(
            self.path, read.read_bytes, read.lines, read.sha256, max(self.size_bytes - read.read_bytes, 0)
        )


def _send_manifest(producer: AcknowledgedProducer, sent: _Sent, role: str, report: ShipReport) -> None:
    """Send a manifest of the file, in a record of its own."""
    if not sent.what.manifest:
        return
    sent_ms, file = now_ms(), sent.told
    value = (
        manifest.begins(sent.where, sent.size_bytes, sent_ms)
        if role == manifest.BEGIN
        else manifest.ends(sent.where, (file.size_bytes, file.lines, file.sha256), sent.size_bytes, sent_ms)
    )
    origin = Provenance(sent.host, sent.where, None, sent.what.forwarder, generation=sent.generation)
    manifest_headers = ((headers.MANIFEST, role.encode()), *headers.to_headers(origin, sent.what.backfill))
    _send(producer, [ProducerRecord(sent.what.intake.topic, _key(sent), value, manifest_headers)], report)


def _key(sent: _Sent, chunk: str = "") -> bytes:
    return f"{sent.host}:{sent.where}{chunk}".encode("utf-8", "replace")


def _limit_bytes(settings: Settings, topic: str) -> int:
    with open_topics(settings.kafka) as cluster:
        described = cluster.described([topic]).get(topic)
    if described is None:
        raise Problem(f"There is no topic {topic} in Kafka.", "Run `perflog setup`.", ExitCode.CONFIG)
    return min(settings.delivery.max_message_bytes, described.max_message_bytes - ENVELOPE_BYTES)


def _records(sent: _Sent, report: ShipReport) -> Iterator[ProducerRecord]:
    what = sent.what
    captured_ms = files.modified_ms(sent.path) if sent.way == files.FILE else None
    origin = Provenance(sent.host, sent.where, None, what.forwarder, None, captured_ms, sent.generation)
    numbers = count()
    for piece in files.pieces(sent.path, sent.way, report.limit_bytes, tally=sent.tally):
        if piece.data is None:
            report.too_large.append(TooLarge(sent.path, piece.offset_bytes, piece.size_bytes))
            continue
        key = _key(sent, f"#{next(numbers) // CHUNK_MESSAGES}" if what.backfill else "")
        message_headers = headers.to_headers(replace(origin, offset_bytes=piece.offset_bytes), what.backfill)
        yield ProducerRecord(what.intake.topic, key, piece.data, message_headers)


def flights(records: Iterator[ProducerRecord]) -> Iterator[list[ProducerRecord]]:
    """Group the records: each group is acknowledged before the next is read, so memory stays bounded."""
    flight: list[ProducerRecord] = []
    size_bytes = 0
    for record in records:
        flight.append(record)
        size_bytes += record.size_bytes
        if len(flight) >= FLIGHT_MESSAGES or size_bytes >= FLIGHT_BYTES:
            yield flight
            flight, size_bytes = [], 0
    if flight:
        yield flight


def _send(producer: AcknowledgedProducer, flight: Sequence[ProducerRecord], report: ShipReport) -> None:
    try:
        producer.send(flight)
    except Unavailable as error:
        problem = f"Kafka stopped answering after {report.messages} messages were acknowledged ({error})."
        remedy = "Ship the same files again when Kafka is back: duplicates are counted, not stored twice."
        raise Problem(problem, remedy, ExitCode.UNAVAILABLE) from error
