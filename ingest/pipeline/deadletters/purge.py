"""Purge: rejects that nobody needs any more, and the dead letters that only they referred to."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from ingest.config.settings import Settings
from ingest.core.kafka_record import Partition
from ingest.edge.elasticsearch.rejects import RejectIndex, RejectQuery, StoredReject, letter_of, open_rejects
from ingest.edge.kafka.fetch import open_fetcher
from ingest.edge.kafka.topics import open_topics

CHUNK_REJECTS = 1000
NEEDED = ("perf.reject.letter", "perf.reject.shape")


@dataclass(slots=True)
class PurgeReport:
    """What went: rejects from the index, letters from the topic; how many letters stay, and why if they must.

    Attributes:
        kept_because: why no letter went though rejects did; None when that has no reason of its own.
    """

    rejects: int = 0
    letters: int = 0
    letters_left: int = 0
    kept_because: str | None = None


@dataclass(slots=True)
class Reach:
    """Letters by partition: the lowest or highest that some rejects refer to."""

    lowest: dict[Partition, int] = field(default_factory=dict)
    highest: dict[Partition, int] = field(default_factory=dict)
    unknown: int = 0

    def add(self, found: StoredReject) -> None:
        """Hear of a reject. One from before letters were written down may refer to any."""
        at = letter_of(found)
        if at is not None:
            self.lowest[at.partition] = min(at.offset, self.lowest.get(at.partition, at.offset))
            self.highest[at.partition] = max(at.offset, self.highest.get(at.partition, at.offset))
        elif found.told("perf.reject.shape") is None:
            self.unknown += 1


def purge(
    settings: Settings, wanted: RejectQuery, progress: Callable[[int, int], None] = lambda _done, _of: None
) -> PurgeReport:
    """Delete the rejects that are meant, then the letters below the first that a remaining reject refers to.

    No letter above the highest of those purged goes: its reject may be on its way to the index.
    """
    report = PurgeReport()
    topic = settings.delivery.dead_letter_topic
    with open_fetcher(settings.kafka, settings.delivery) as look:
        span = dict(look.span(topic))  # asked first: where Kafka is away, nothing at all goes
    with open_rejects(settings.elasticsearch) as known:
        purged = _delete(known, wanted, report, progress)
        known.refresh()
        remaining = Reach()
        if purged.highest:
            for found in known.each(RejectQuery(), NEEDED):
                remaining.add(found)
    offsets = {} if remaining.unknown else upto(purged, remaining)
    due = {at: min(offset, span[at][1]) for at, offset in offsets.items() if at in span and offset > span[at][0]}
    with open_topics(settings.kafka) as cluster:
        cluster.delete_before(due)
    report.letters = sum(offset - span[at][0] for at, offset in due.items())
    report.letters_left = sum(end - first for first, end in span.values()) - report.letters
    report.kept_because = None if due or not purged.highest else _why_kept(remaining)
    return report


def _why_kept(remaining: Reach) -> str | None:
    """Why no letter went though rejects did."""
    if remaining.unknown:
        return f"{remaining.unknown:,} older rejects do not say which letters are theirs"
    if remaining.lowest:
        return "a topic lets go from its old end only, and a reject that stays needs its oldest letter"
    return None


def _delete(
    known: RejectIndex, wanted: RejectQuery, report: PurgeReport, progress: Callable[[int, int], None]
) -> Reach:
    purged = Reach()
    of, done = known.count(wanted), 0
    for chunk in _chunks(known.each(wanted, NEEDED)):
        report.rejects += known.delete(chunk)
        for found in chunk:
            purged.add(found)
        done += len(chunk)
        progress(done, of)
    return purged


def _chunks(each: Iterable[StoredReject]) -> Iterator[list[StoredReject]]:
    rest = iter(each)
    while chunk := list(islice(rest, CHUNK_REJECTS)):
        yield chunk


def upto(purged: Reach, remaining: Reach) -> dict[Partition, int]:
    """The offset below which no letter is needed, for each partition that letters of purged rejects lie in."""
    behind = {partition: offset + 1 for partition, offset in purged.highest.items()}
    return {partition: min(end, remaining.lowest.get(partition, end)) for partition, end in behind.items()}
