"""Replays rejected records: sends them to their intake topics, to be read with their original record time.

A reject is marked as replayed only after Kafka has acknowledged its copy. After a crash in between, the copy is sent
twice, which changes nothing as facts have fixed ids. A record's destination comes from its own coordinates, never from
its content, and must be a topic in the settings.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ingest.config.settings import Settings
from ingest.core.batching import batched
from ingest.core.kafka_record import Coordinates, ProducerRecord
from ingest.core.model import ExitCode, Problem
from ingest.core.records.headers import Replay, replay_headers
from ingest.core.timestamps import iso_ms
from ingest.edge.elasticsearch.rejects import RejectIndex, RejectQuery, StoredReject, open_rejects
from ingest.edge.errors import RequestTooLarge, Unavailable
from ingest.edge.kafka.fetch import RecordFetcher, open_fetcher
from ingest.edge.kafka.producer import AcknowledgedProducer, open_producer
from ingest.pipeline.deadletters.inspect import Original, find_originals

CHUNK_REJECTS = 2000
FLIGHT_BYTES = 8 * 1024 * 1024  # acknowledged and marked before the next copies are read


@dataclass(slots=True)
class ReplayReport:
    """What was sent, or would be (`dry_run`).

    Attributes:
        topics: records by intake topic.
        found_in: records by where their bytes were: letter, record, copy, index.
        before: rejects that were left out because they were replayed before.
        not_sent: (id, why).
    """

    dry_run: bool
    topics: Counter[str] = field(default_factory=Counter)
    found_in: Counter[str] = field(default_factory=Counter)
    before: int = 0
    not_sent: list[tuple[str, str]] = field(default_factory=list)

    @property
    def records(self) -> int:
        """The number of records."""
        return sum(self.topics.values())


@dataclass(frozen=True, slots=True)
class Sent:
    """A copy in flight: the Kafka record, and all rejects of the original, which are marked once it is acknowledged."""

    record: ProducerRecord
    parts: tuple[StoredReject, ...]
    found_in: str


class Replayer:
    """Sends and marks records, one flight at a time."""

    def __init__(
        self, rejects: RejectIndex, producer: AcknowledgedProducer, report: ReplayReport, now_ms: Callable[[], int]
    ) -> None:
        """Bind the services, and the report to fill."""
        self._rejects, self._producer, self._report, self._now_ms = rejects, producer, report, now_ms

    def send(self, flight: Sequence[Sent]) -> None:
        """Send all, wait for Kafka, mark all; a record that the topic does not take goes into the report."""
        if self._report.dry_run:
            self._count(flight)
            return
        try:
            coordinates = self._producer.send([sent.record for sent in flight])
        except RequestTooLarge:
            if len(flight) == 1:
                too_large = f"{flight[0].record.topic} does not accept a record of this size"
                self._report.not_sent.append((flight[0].parts[0].record, too_large))
                return
            for sent in flight:
                self.send([sent])
            return
        except Unavailable as error:
            problem = f"Kafka stopped answering after {self._report.records:,} records were sent and marked ({error})."
            raise Problem(
                problem, "Replay again when Kafka is back: marked records are skipped.", ExitCode.UNAVAILABLE
            ) from error
        pairs = [(part, at) for sent, at in zip(flight, coordinates, strict=True) for part in sent.parts]
        self._rejects.mark(pairs, self._now_ms())
        self._count(flight)

    def _count(self, flight: Sequence[Sent]) -> None:
        self._report.topics.update(sent.record.topic for sent in flight)
        self._report.found_in.update(sent.found_in for sent in flight)


def replay(
    settings: Settings,
    query: RejectQuery,
    now_ms: Callable[[], int],
    *,
    again: bool = False,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> ReplayReport:
    """Send the records of the matching rejects; already replayed ones only with `again`. Several workers may run.

    `progress` is called with the rejects done and their total. Raises `Problem` (69) when a service does not answer.
    """
    report = ReplayReport(dry_run)
    with (
        open_rejects(settings.elasticsearch) as rejects,
        open_fetcher(settings.kafka, settings.delivery) as fetcher,
        open_producer(settings.kafka) as producer,
    ):
        if not again:
            report.before = rejects.count(replace(query, replayed=True))
            query = replace(query, replayed=False)
        replayer = Replayer(rejects, producer, report, now_ms)
        total, done = rejects.count(query), 0
        for chunk, parts in _chunks(rejects, query, again):
            copies = _copies(parts, fetcher, settings, report)
            for flight in batched(copies, lambda sent: sent.record.size_bytes, FLIGHT_BYTES):
                replayer.send(flight)
            done += chunk
            progress(done, total)
    return report


def _chunks(
    rejects: RejectIndex, query: RejectQuery, again: bool
) -> Iterator[tuple[int, list[tuple[StoredReject, ...]]]]:
    """Yield the number of rejects in a chunk and all parts of each of their records; every record once."""
    records_with_parts: set[str] = set()
    matching = rejects.scan(query, ["provenance.kafka"])
    for chunk in batched(matching, max_items=CHUNK_REJECTS):
        records: dict[str, list[StoredReject]] = {}
        for part in rejects.of_records(sorted({reject.value("provenance.kafka") for reject in chunk})):
            records.setdefault(part.record, []).append(part)
        records_to_send = [
            tuple(parts)
            for name, parts in records.items()
            if name not in records_with_parts and (again or _is_new(parts))
        ]
        records_with_parts |= {name for name, parts in records.items() if len(parts) > 1}
        yield len(chunk), records_to_send


def _is_new(parts: Sequence[StoredReject]) -> bool:
    """Whether any part of it was not replayed, according to the newest read."""
    return any(part.value("perf.reject.replayed") is None for part in parts)


def _copies(
    records: Sequence[tuple[StoredReject, ...]], fetcher: RecordFetcher, settings: Settings, report: ReplayReport
) -> Iterator[Sent]:
    """Yield the copy of each record that can be sent; the others go into the report."""
    topics = {intake.topic for intake in settings.intakes.values()}
    parts = {record_parts[0].record: record_parts for record_parts in records}
    for reject, original in find_originals([record_parts[0] for record_parts in records], fetcher, settings):
        at = Coordinates.read(reject.record)
        if at is None or at.partition.topic not in topics:
            report.not_sent.append((reject.id, "its topic is no intake of the settings"))
        elif original is None:
            report.not_sent.append((reject.id, "nothing is left of it, neither in Kafka nor in the index"))
        elif not original.whole:
            report.not_sent.append((reject.id, "only the message is left, without the wrapper or prefix it came with"))
        else:
            yield Sent(_copy(at.partition.topic, reject, original), parts[reject.record], original.found_in)


def _copy(topic: str, reject: StoredReject, original: Original) -> ProducerRecord:
    replay_header = Replay(reject.record, iso_ms(reject.value("event.created")))
    return ProducerRecord(topic, original.key, original.value, replay_headers(original.headers, replay_header))
