"""Inspects dead letters: what broke how often, and the bytes of a rejected record from wherever they are still kept.

The dead letter is read first, then the record in its intake topic, then the copies it was replayed as, then the index.
A record found in Kafka is used only if its own headers or time identify it: topics may be recreated, and their offsets
start again.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ingest.config.settings import Settings
from ingest.core.batching import batched
from ingest.core.decode.bodies import original_of
from ingest.core.kafka_record import ConsumerRecord, Coordinates
from ingest.core.model import ExitCode, Problem, Provenance
from ingest.core.records import headers
from ingest.core.records.dead_letter import VALUE_LEFT_OUT
from ingest.core.timestamps import iso_ms
from ingest.edge.elasticsearch.rejects import (
    RejectGroup,
    RejectIndex,
    RejectQuery,
    StoredReject,
    letter_of,
    open_rejects,
)
from ingest.edge.kafka.fetch import RecordFetcher, open_fetcher
from ingest.edge.kafka.rights import DESCRIBE

LETTER, RECORD, COPY, INDEX = "letter", "record", "copy", "index"
CHUNK_REJECTS = 1000
Key = tuple[str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Original:
    """A rejected record as it arrived: key, value and its own headers.

    Attributes:
        found_in: `letter`, `record` (in its intake topic), `copy` (as it was replayed) or `index`.
        at: its coordinates in Kafka.
        whole: True for the record; False for only the message inside its wrapper or behind its prefix, without key and
    further headers.
    """

    found_in: str
    at: Coordinates | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Listed:
    """The rejects of one shape; `stored` = how many of the replayed ones have produced a fact since."""

    group: RejectGroup
    stored: int


@dataclass(frozen=True, slots=True)
class Listing:
    """All shapes, the most frequent first; counts of matching rejects, all rejects, and dead letters in the topic.

    Attributes:
        letters: None when Kafka does not answer or the topic is missing; `trouble` then says why.
    """

    shapes: tuple[Listed, ...]
    matching: int
    total: int
    letters: int | None
    trouble: str | None = None


def list_shapes(settings: Settings, query: RejectQuery) -> Listing:
    """Count rejects and dead letters; `Problem` (69) when Elasticsearch does not answer. Kafka may be down."""
    with open_rejects(settings.elasticsearch) as rejects:
        stored = _stored(rejects, query)
        groups = sorted(rejects.groups(query), key=lambda group: (-group.count, -group.last_ms))
        shapes = tuple(Listed(group, stored[group.reason, group.source, group.shape]) for group in groups)
        matching, total = sum(group.count for group in groups), rejects.count(RejectQuery())
    try:
        with open_fetcher(settings.kafka, settings.delivery) as fetcher:
            span = fetcher.span(settings.delivery.dead_letter_topic, DESCRIBE)
    except Problem as problem:
        return Listing(shapes, matching, total, None, problem.message)
    if not span:
        return Listing(shapes, matching, total, None, f"There is no topic {settings.delivery.dead_letter_topic}.")
    return Listing(shapes, matching, total, sum(end - first for first, end in span.values()))


def _stored(rejects: RejectIndex, query: RejectQuery) -> Counter[Key]:
    """How many replayed rejects have a fact made from a copy of their record, by reason, source and shape."""
    counts: Counter[Key] = Counter()
    fields = ("error.type", "perf.source", "perf.reject.shape", "perf.reject.replayed_as")
    replayed = rejects.scan(replace(query, replayed=True), fields)
    for chunk in batched(replayed, max_items=CHUNK_REJECTS):
        copies = {copy: reject for reject in chunk for copy in reject.value("perf.reject.replayed_as") or ()}
        stored = {copies[copy].id: copies[copy] for copy in rejects.records_with_facts(list(copies))}
        counts.update(
            (reject.value("error.type"), reject.value("perf.source"), reject.value("perf.reject.shape"))
            for reject in stored.values()
        )
    return counts


def count_rejects(settings: Settings, query: RejectQuery) -> int:
    """The number of matching rejects."""
    with open_rejects(settings.elasticsearch) as rejects:
        return rejects.count(query)


def newest_reject(settings: Settings, query: RejectQuery) -> tuple[StoredReject, Original | None, list[str]]:
    """The newest matching reject, its record, and the ids of the other rejected parts of that record.

    `Problem` (66) when no reject matches. The record is None if nothing is left of it.
    """
    with open_rejects(settings.elasticsearch) as rejects:
        reject = rejects.newest(query)
        if reject is None:
            criterion = f"with the id {query.ids[0]}" if query.ids else "like that"
            raise Problem(
                f"There is no reject {criterion}.", "`perflog dlq list` shows the existing ones.", ExitCode.NO_INPUT
            )
        parts = [part.id for part in rejects.of_records([reject.value("provenance.kafka")]) if part.id != reject.id]
    with open_fetcher(settings.kafka, settings.delivery) as fetcher:
        ((_, original),) = find_originals([reject], fetcher, settings)
    return reject, original, sorted(parts)


def find_originals(
    rejects: Sequence[StoredReject], fetcher: RecordFetcher, settings: Settings
) -> Iterator[tuple[StoredReject, Original | None]]:
    """Yield each reject with its record, None if nothing is left of it; `rejects` must name a record only once."""
    left = {reject.record: reject for reject in rejects}
    for found_in in (LETTER, RECORD, COPY):
        rejects_at = {at: reject for reject in left.values() for at in _coordinates(reject, found_in)}
        for record in fetcher.records(rejects_at):
            reject = rejects_at[Coordinates(record.partition, record.offset)]
            if reject.record in left and _is_it(reject, record, found_in):
                del left[reject.record]
                yield reject, _original(record, found_in)
    for reject in left.values():
        yield reject, _from_index(reject, settings)


def _coordinates(reject: StoredReject, found_in: str) -> list[Coordinates]:
    """Where the record may be found in Kafka."""
    if found_in == LETTER:
        at = letter_of(reject)
        return [at] if at else []
    texts = (
        [reject.value("provenance.kafka")]
        if found_in == RECORD
        else reversed(reject.value("perf.reject.replayed_as") or [])
    )
    return [at for text in texts if text and (at := Coordinates.read(text))]


def _is_it(reject: StoredReject, record: ConsumerRecord, found_in: str) -> bool:
    if found_in == LETTER:
        header_texts = {name: value.decode("utf-8", "replace") for name, value in record.headers}
        coordinates = "/".join(
            header_texts.get(f"__connect.errors.{part}", "") for part in ("topic", "partition", "offset")
        )
        return coordinates == reject.value("provenance.kafka") and VALUE_LEFT_OUT not in header_texts
    if found_in == COPY:
        replay = headers.parse(record).replay
        return replay is not None and replay.of == reject.record
    return headers.parse(record).message.record_time_ms == iso_ms(reject.value("event.created"))


def _original(record: ConsumerRecord, found_in: str) -> Original:
    at = Coordinates(record.partition, record.offset)
    return Original(found_in, at, record.key, record.value, headers.without_added_headers(record.headers))


def _from_index(reject: StoredReject, settings: Settings) -> Original | None:
    """The message and its origin, as far as the index keeps them."""
    if reject.value("event.original") is None:
        return None
    origin = Provenance(
        host=reject.value("host.name"),
        path=reject.value("log.file.path"),
        offset_bytes=reject.value("log.offset"),
        forwarder=reject.value("provenance.forwarder"),
    )
    intake = settings.intakes.get(reject.value("perf.intake") or "")
    whole = intake is not None and intake.wrapper == "none" and intake.prefix == "none"
    return Original(
        INDEX, None, None, original_of(reject.body), headers.to_headers(origin, backfill=False), whole=whole
    )
