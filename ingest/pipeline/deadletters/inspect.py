"""Dead letters looked at: what broke how often, and the bytes of a refused record, wherever they are still kept.

The letter is asked first, then the record in its intake topic and the copies it was replayed as, then the index. A
record is believed only when it says itself that it is the one: topics are made anew, and offsets begin again.
"""

from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ingest.config.settings import Settings
from ingest.core.kafka_record import ConsumerRecord, Coordinates
from ingest.core.model import Problem, Provenance
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

LETTER, RECORD, COPY, INDEX = "letter", "record", "copy", "index"
CHUNK_REJECTS = 1000
Key = tuple[str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Original:
    """A refused record as it came: key, value and its own headers.

    Attributes:
        found_in: `letter`, `record` (in its intake topic), `copy` (as it was replayed) or `index`.
        at: where it was read in Kafka.
        whole: it is the record; else only the message that was inside its wrapper, without key and further headers.
    """

    found_in: str
    at: Coordinates | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Listed:
    """The rejects of one shape; `stored` = how many of those replayed have made a fact since."""

    group: RejectGroup
    stored: int


@dataclass(frozen=True, slots=True)
class Listing:
    """All shapes, the most frequent first; how many rejects that is, of how many; and the letters in the topic.

    Attributes:
        letters: None when Kafka does not say; then `trouble` is why.
    """

    shapes: tuple[Listed, ...]
    matching: int
    total: int
    letters: int | None
    trouble: str | None = None


def listing(settings: Settings, wanted: RejectQuery) -> Listing:
    """Count what is there; `Problem` (69) when Elasticsearch does not answer. Kafka may be away."""
    with open_rejects(settings.elasticsearch) as known:
        stored = _stored(known, wanted)
        groups = sorted(known.groups(wanted), key=lambda group: (-group.count, -group.last_ms))
        shapes = tuple(Listed(group, stored[group.reason, group.source, group.shape]) for group in groups)
        matching, total = sum(group.count for group in groups), known.count(RejectQuery())
    try:
        with open_fetcher(settings.kafka, settings.delivery) as look:
            span = look.span(settings.delivery.dead_letter_topic)
    except Problem as problem:
        return Listing(shapes, matching, total, None, problem.message)
    if not span:
        return Listing(shapes, matching, total, None, f"There is no topic {settings.delivery.dead_letter_topic}.")
    return Listing(shapes, matching, total, sum(end - first for first, end in span.values()))


def _stored(known: RejectIndex, wanted: RejectQuery) -> Counter[Key]:
    """How many replayed rejects have a fact that was made of a copy of their record, by reason, source and shape."""
    counted: Counter[Key] = Counter()
    fields = ("error.type", "perf.source", "perf.reject.shape", "perf.reject.replayed_as")
    each = known.each(replace(wanted, replayed=True), fields)
    while chunk := list(islice(each, CHUNK_REJECTS)):
        copies = {copy: found for found in chunk for copy in found.told("perf.reject.replayed_as") or ()}
        stored = {copies[copy].id: copies[copy] for copy in known.stored(list(copies))}
        counted.update(
            (f.told("error.type"), f.told("perf.source"), f.told("perf.reject.shape")) for f in stored.values()
        )
    return counted


def counted(settings: Settings, wanted: RejectQuery) -> int:
    """How many rejects are meant."""
    with open_rejects(settings.elasticsearch) as known:
        return known.count(wanted)


def one(settings: Settings, wanted: RejectQuery) -> tuple[StoredReject, Original | None, list[str]]:
    """The newest of the rejects that are meant, its record, and the ids of the other refused parts of that record.

    `Problem` (66) when there is none; None for a record of which nothing is left.
    """
    with open_rejects(settings.elasticsearch) as known:
        found = known.newest(wanted)
        if found is None:
            named = f"with the id {wanted.ids[0]}" if wanted.ids else "like that"
            raise Problem(f"There is no reject {named}.", "`perflog dlq list` names those there are.", 66)
        parts = [part.id for part in known.of_records([found.told("provenance.kafka")]) if part.id != found.id]
    with open_fetcher(settings.kafka, settings.delivery) as look:
        ((_, original),) = originals([found], look, settings)
    return found, original, sorted(parts)


def originals(
    each: Sequence[StoredReject], look: RecordFetcher, settings: Settings
) -> Iterator[tuple[StoredReject, Original | None]]:
    """The record of each reject, one at a time; `each` names a record once. None where nothing is left of it."""
    left = {found.record: found for found in each}
    for way in (LETTER, RECORD, COPY):
        wanted = {at: found for found in left.values() for at in _places(found, way)}
        for record in look.records(wanted):
            found = wanted[Coordinates(record.partition, record.offset)]
            if found.record in left and _is_it(found, record, way):
                del left[found.record]
                yield found, _original(record, way)
    for found in left.values():
        yield found, _from_index(found, settings)


def _places(found: StoredReject, way: str) -> list[Coordinates]:
    """Where the record may lie."""
    if way == LETTER:
        at = letter_of(found)
        return [at] if at else []
    told = [found.told("provenance.kafka")] if way == RECORD else reversed(found.told("perf.reject.replayed_as") or [])
    return [at for text in told if text and (at := Coordinates.read(text))]


def _is_it(found: StoredReject, record: ConsumerRecord, way: str) -> bool:
    if way == LETTER:
        told = {name: value.decode("utf-8", "replace") for name, value in record.headers}
        of = "/".join(told.get(f"__connect.errors.{part}", "") for part in ("topic", "partition", "offset"))
        return of == found.told("provenance.kafka") and VALUE_LEFT_OUT not in told
    if way == COPY:
        replay = headers.replay_of(record)
        return replay is not None and replay.of == found.record
    return headers.message(record).record_time_ms == iso_ms(found.told("event.created"))


def _original(record: ConsumerRecord, way: str) -> Original:
    at = Coordinates(record.partition, record.offset)
    return Original(way, at, record.key, record.value, headers.without_added_headers(record.headers))


def _from_index(found: StoredReject, settings: Settings) -> Original | None:
    """What the index keeps: the message, and where it came from."""
    text, encoded = found.told("event.original"), found.told("event.original_b64")
    if text is None:
        return None
    told = Provenance(
        host=found.told("host.name"),
        path=found.told("log.file.path"),
        offset_bytes=found.told("log.offset"),
        forwarder=found.told("provenance.forwarder"),
    )
    intake = settings.intakes.get(found.told("perf.intake") or "")
    value = b64decode(encoded) if encoded else text.encode()
    bare = intake is not None and intake.wrapper == "none"
    return Original(INDEX, None, None, value, headers.to_headers(told, backfill=False), whole=bare)
