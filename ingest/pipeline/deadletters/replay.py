"""Replay: refused records into the intake topics that they came from, to be read again as they were then.

A record is marked only when Kafka has acknowledged its copy: killed in between, a copy is sent twice, and facts have
their ids. Nothing in a record says where it goes: its own coordinates do, and the settings must know that topic.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from ingest.config.settings import Settings
from ingest.core.kafka_record import Coordinates, ProducerRecord
from ingest.core.model import Problem
from ingest.core.records.headers import Replay, replay_headers
from ingest.core.timestamps import iso_ms
from ingest.edge.elasticsearch.rejects import RejectIndex, RejectQuery, StoredReject, open_rejects
from ingest.edge.errors import RequestTooLarge, Unavailable
from ingest.edge.kafka.fetch import RecordFetcher, open_fetcher
from ingest.edge.kafka.producer import AcknowledgedProducer, open_producer
from ingest.pipeline.deadletters.inspect import Original, originals

CHUNK_REJECTS = 2000
FLIGHT_BYTES = 8 * 1024 * 1024


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
        """How many records."""
        return sum(self.topics.values())


@dataclass(frozen=True, slots=True)
class Sent:
    """A copy on its way: the letter, and all rejects of its record, which are marked when it has arrived."""

    letter: ProducerRecord
    parts: tuple[StoredReject, ...]
    found_in: str


class Replayer:
    """Sends and marks, a flight at a time."""

    def __init__(
        self, known: RejectIndex, outbox: AcknowledgedProducer, report: ReplayReport, now_ms: Callable[[], int]
    ) -> None:
        """Bind the services, and the report that is filled."""
        self._known, self._outbox, self._report, self._now_ms = known, outbox, report, now_ms

    def send(self, flight: Sequence[Sent]) -> None:
        """Send all, wait for Kafka, mark all; one that the topic does not take is told in the report."""
        if self._report.dry_run:
            self._count(flight)
            return
        try:
            places = self._outbox.send([sent.letter for sent in flight])
        except RequestTooLarge:
            if len(flight) == 1:
                too_large = f"{flight[0].letter.topic} does not take a record of this size"
                self._report.not_sent.append((flight[0].parts[0].record, too_large))
                return
            for sent in flight:
                self.send([sent])
            return
        except Unavailable as error:
            what = f"Kafka stopped answering after {self._report.records:,} records were sent and marked ({error})."
            raise Problem(what, "Replay again when it is back: what was marked is left out.", 69) from error
        pairs = [(part, at) for sent, at in zip(flight, places, strict=True) for part in sent.parts]
        self._known.mark(pairs, self._now_ms())
        self._count(flight)

    def _count(self, flight: Sequence[Sent]) -> None:
        self._report.topics.update(sent.letter.topic for sent in flight)
        self._report.found_in.update(sent.found_in for sent in flight)


def replay(
    settings: Settings,
    wanted: RejectQuery,
    now_ms: Callable[[], int],
    *,
    again: bool = False,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> ReplayReport:
    """Send the records of the rejects that are meant; those replayed before only `again`. Several workers may run.

    `progress` hears how many rejects are done, of how many. Raises `Problem` (69) when a service does not answer.
    """
    report = ReplayReport(dry_run)
    with (
        open_rejects(settings.elasticsearch) as known,
        open_fetcher(settings.kafka, settings.delivery) as look,
        open_producer(settings.kafka) as outbox,
    ):
        if not again:
            report.before = known.count(replace(wanted, replayed=True))
            wanted = replace(wanted, replayed=False)
        replayer = Replayer(known, outbox, report, now_ms)
        of, done = known.count(wanted), 0
        for chunk, parts in _chunks(known, wanted, again):
            for flight in _flights(_copies(parts, look, settings, report)):
                replayer.send(flight)
            done += chunk
            progress(done, of)
    return report


def _chunks(
    known: RejectIndex, wanted: RejectQuery, again: bool
) -> Iterator[tuple[int, list[tuple[StoredReject, ...]]]]:
    """How many rejects, and all parts of each of their records; every record once."""
    of_parts: set[str] = set()
    each = known.each(wanted, ["provenance.kafka"])
    while chunk := list(islice(each, CHUNK_REJECTS)):
        records: dict[str, list[StoredReject]] = {}
        for part in known.of_records(sorted({found.told("provenance.kafka") for found in chunk})):
            records.setdefault(part.record, []).append(part)
        fresh = [tuple(parts) for name, parts in records.items() if name not in of_parts and (again or _is_new(parts))]
        of_parts |= {name for name, parts in records.items() if len(parts) > 1}
        yield len(chunk), fresh


def _is_new(parts: Sequence[StoredReject]) -> bool:
    """Whether a part of it was never replayed, not even since we asked."""
    return any(part.told("perf.reject.replayed") is None for part in parts)


def _copies(
    records: Sequence[tuple[StoredReject, ...]], look: RecordFetcher, settings: Settings, report: ReplayReport
) -> Iterator[Sent]:
    """The copy of each record that can be sent; the others are told in the report."""
    topics = {intake.topic for intake in settings.intakes.values()}
    parts = {each[0].record: each for each in records}
    for found, original in originals([each[0] for each in records], look, settings):
        at = Coordinates.read(found.record)
        if at is None or at.partition.topic not in topics:
            report.not_sent.append((found.id, "its topic is no intake of the settings"))
        elif original is None:
            report.not_sent.append((found.id, "nothing is left of it, neither in Kafka nor in the index"))
        elif not original.whole:
            report.not_sent.append((found.id, "only the message is left, without the wrapper it came in"))
        else:
            yield Sent(_letter(at.partition.topic, found, original), parts[found.record], original.found_in)


def _letter(topic: str, found: StoredReject, original: Original) -> ProducerRecord:
    told = Replay(found.record, iso_ms(found.told("event.created")))
    return ProducerRecord(topic, original.key, original.value, replay_headers(original.headers, told))


def _flights(copies: Iterable[Sent]) -> Iterator[list[Sent]]:
    """Groups that are acknowledged and marked before the next is read, so that memory stays bounded."""
    flight: list[Sent] = []
    size_bytes = 0
    for sent in copies:
        flight.append(sent)
        size_bytes += sent.letter.size_bytes
        if size_bytes >= FLIGHT_BYTES:
            yield flight
            flight, size_bytes = [], 0
    if flight:
        yield flight
