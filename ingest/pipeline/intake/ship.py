"""Ships files to an intake's topic, with headers that say where each message came from.

A manifest with the file's size precedes its first line, so that missing bytes are noticed if the shipper dies. When
Kafka has acknowledged every line, a second manifest says what was read (see core/tracking/manifest.py).
"""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from operator import attrgetter
from pathlib import Path

from ingest.config.settings import Settings
from ingest.core.batching import batched
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
from ingest.edge.kafka.rights import DESCRIBE_CONFIGS, WRITE, topic_rights
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
    """A message that was not sent, and its position in the file."""

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

    Raises `Problem`: 66 a file cannot be read, 69 Kafka does not answer, 77 it denies a right, 78 the topic is missing,
    130 interrupted.
    """
    files.checked(what.paths)
    framings = {path: files.framing(path, what.framings, what.framing) for path in what.paths}
    report = ShipReport(what.intake.topic, _limit_bytes(settings, what.intake.topic))
    try:
        with open_producer(settings.kafka) as producer:
            for path, framing in framings.items():
                file = _FileInTransit(path, what, framing, files.size_bytes(path), files.generation(path))
                _send_file(producer, file, report, advance)
    except KeyboardInterrupt as error:
        problem = f"Stopped after {report.messages} messages were acknowledged."
        remedy = "Ship the same files again: duplicates are counted, not stored twice."
        raise Problem(problem, remedy, ExitCode.INTERRUPTED) from error
    return report


@dataclass(slots=True)
class _FileInTransit:
    """A file while it is sent."""

    path: Path
    what: Shipment
    framing: str
    size_bytes: int
    generation: str | None
    tally: ReadTally = field(default_factory=ReadTally)

    @property
    def host(self) -> str:
        return self.what.host or socket.gethostname()

    @property
    def absolute_path(self) -> str:
        return str(self.path.absolute())

    @property
    def summary(self) -> ShippedFile:
        read = self.tally
        return ShippedFile(
            self.path, read.read_bytes, read.lines, read.sha256, max(self.size_bytes - read.read_bytes, 0)
        )


def _send_file(
    producer: AcknowledgedProducer, file: _FileInTransit, report: ShipReport, advance: Callable[[int], None]
) -> None:
    """Send a file's records between its two manifests."""
    _send_manifest(producer, file, manifest.BEGIN, report)
    for flight in group_records(_records(file, report)):
        _send(producer, flight, report)
        report.messages += len(flight)
        size_bytes = sum(len(record.value or b"") for record in flight)
        report.size_bytes += size_bytes
        advance(size_bytes)
    _send_manifest(producer, file, manifest.END, report)
    report.files.append(file.summary)


def _send_manifest(producer: AcknowledgedProducer, file: _FileInTransit, role: str, report: ShipReport) -> None:
    """Send a manifest of the file, in a record of its own."""
    if not file.what.manifest:
        return
    sent_ms, read = now_ms(), file.summary
    value = (
        manifest.begins(file.absolute_path, file.size_bytes, sent_ms)
        if role == manifest.BEGIN
        else manifest.ends(file.absolute_path, (read.size_bytes, read.lines, read.sha256), file.size_bytes, sent_ms)
    )
    origin = Provenance(file.host, file.absolute_path, None, file.what.forwarder, generation=file.generation)
    manifest_headers = ((headers.MANIFEST, role.encode()), *headers.to_headers(origin, file.what.backfill))
    _send(producer, [ProducerRecord(file.what.intake.topic, _key(file), value, manifest_headers)], report)


def _key(file: _FileInTransit, chunk: str = "") -> bytes:
    return f"{file.host}:{file.absolute_path}{chunk}".encode("utf-8", "replace")


def _limit_bytes(settings: Settings, topic: str) -> int:
    with open_topics(settings.kafka) as cluster:
        cluster.demand(topic_rights([topic], WRITE, DESCRIBE_CONFIGS))
        described = cluster.describe([topic]).get(topic)
    if described is None:
        raise Problem(f"There is no topic {topic} in Kafka.", "Run `perflog setup`.", ExitCode.CONFIG)
    return min(settings.delivery.max_message_bytes, described.max_message_bytes - ENVELOPE_BYTES)


def _records(file: _FileInTransit, report: ShipReport) -> Iterator[ProducerRecord]:
    what = file.what
    captured_ms = files.modified_ms(file.path) if file.framing == files.FILE else None
    origin = Provenance(file.host, file.absolute_path, None, what.forwarder, None, captured_ms, file.generation)
    numbers = count()
    for piece in files.pieces(file.path, file.framing, report.limit_bytes, tally=file.tally):
        if piece.data is None:
            report.too_large.append(TooLarge(file.path, piece.offset_bytes, piece.size_bytes))
            continue
        key = _key(file, f"#{next(numbers) // CHUNK_MESSAGES}" if what.backfill else "")
        message_headers = headers.to_headers(replace(origin, offset_bytes=piece.offset_bytes), what.backfill)
        yield ProducerRecord(what.intake.topic, key, piece.data, message_headers)


def group_records(records: Iterator[ProducerRecord]) -> Iterator[list[ProducerRecord]]:
    """Group the records: each group is acknowledged before the next is read, so memory stays bounded."""
    return batched(records, attrgetter("size_bytes"), FLIGHT_BYTES, FLIGHT_MESSAGES)


def _send(producer: AcknowledgedProducer, flight: Sequence[ProducerRecord], report: ShipReport) -> None:
    try:
        producer.send(flight)
    except Unavailable as error:
        silent = ", ".join(producer.silent_brokers())
        who = f"Kafka at {silent}" if silent else "Kafka"
        problem = f"{who} stopped answering after {report.messages} messages were acknowledged ({error})."
        remedy = "Ship the same files again when Kafka is back: duplicates are counted, not stored twice."
        raise Problem(problem, remedy, ExitCode.UNAVAILABLE) from error
