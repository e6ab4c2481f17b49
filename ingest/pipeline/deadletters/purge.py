"""Deletes rejects that are no longer needed, and the dead letters that only they refer to."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ingest.config.settings import Settings
from ingest.core.batching import batched
from ingest.core.kafka_record import Partition
from ingest.edge.elasticsearch.rejects import RejectIndex, RejectQuery, StoredReject, letter_of, open_rejects
from ingest.edge.kafka.fetch import open_fetcher
from ingest.edge.kafka.rights import DELETE, topic_rights
from ingest.edge.kafka.topics import open_topics
from ingest.pipeline.preflight import demand_rights

CHUNK_REJECTS = 1000
NEEDED = ("perf.reject.letter", "perf.reject.shape")


@dataclass(slots=True)
class PurgeReport:
    """Counts of deleted rejects and dead letters, and of the letters that stay.

    Attributes:
        kept_because: why no letter was deleted although rejects were; None if there is no particular reason.
    """

    rejects: int = 0
    letters: int = 0
    letters_left: int = 0
    kept_because: str | None = None


@dataclass(slots=True)
class Reach:
    """The lowest and the highest dead letter, by partition, that some rejects refer to."""

    lowest: dict[Partition, int] = field(default_factory=dict)
    highest: dict[Partition, int] = field(default_factory=dict)
    unknown: int = 0

    def add(self, reject: StoredReject) -> None:
        """Add a reject. A reject older than the field for its letter may refer to any letter."""
        at = letter_of(reject)
        if at is not None:
            self.lowest[at.partition] = min(at.offset, self.lowest.get(at.partition, at.offset))
            self.highest[at.partition] = max(at.offset, self.highest.get(at.partition, at.offset))
        elif reject.value("perf.reject.shape") is None:
            self.unknown += 1


def purge(
    settings: Settings, query: RejectQuery, progress: Callable[[int, int], None] = lambda _done, _of: None
) -> PurgeReport:
    """Delete the matching rejects, then the dead letters below the first one that a remaining reject refers to.

    No letter above the highest purged one is deleted: its reject may be on its way to the index.
    """
    report = PurgeReport()
    topic = settings.delivery.dead_letter_topic
    demand_rights(
        settings, topic_rights([topic], DELETE)
    )  # asked first too: the rejects are deleted before the letters
    with open_fetcher(settings.kafka, settings.delivery) as fetcher:
        span = dict(fetcher.span(topic))  # read first: if Kafka is down, nothing at all is deleted
    with open_rejects(settings.elasticsearch) as rejects:
        purged = _delete(rejects, query, report, progress)
        rejects.refresh()
        remaining = Reach()
        if purged.highest:
            for reject in rejects.scan(RejectQuery(), NEEDED):
                remaining.add(reject)
    offsets = {} if remaining.unknown else deletable_offsets(purged, remaining)
    due = {at: min(offset, span[at][1]) for at, offset in offsets.items() if at in span and offset > span[at][0]}
    with open_topics(settings.kafka) as cluster:
        cluster.delete_before(due)
    report.letters = sum(offset - span[at][0] for at, offset in due.items())
    report.letters_left = sum(end - first for first, end in span.values()) - report.letters
    report.kept_because = None if due or not purged.highest else _why_kept(remaining)
    return report


def _why_kept(remaining: Reach) -> str | None:
    """Why no letter was deleted although rejects were."""
    if remaining.unknown:
        return f"{remaining.unknown:,} older rejects do not say which letter they refer to"
    if remaining.lowest:
        return "a topic can only delete its oldest letters, and a remaining reject needs the oldest one"
    return None


def _delete(
    rejects: RejectIndex, query: RejectQuery, report: PurgeReport, progress: Callable[[int, int], None]
) -> Reach:
    purged = Reach()
    total, done = rejects.count(query), 0
    for chunk in batched(rejects.scan(query, NEEDED), max_items=CHUNK_REJECTS):
        report.rejects += rejects.delete(chunk)
        for reject in chunk:
            purged.add(reject)
        done += len(chunk)
        progress(done, total)
    return purged


def deletable_offsets(purged: Reach, remaining: Reach) -> dict[Partition, int]:
    """The offset below which no letter is needed, for each partition that has letters of purged rejects."""
    end_offsets = {partition: offset + 1 for partition, offset in purged.highest.items()}
    return {partition: min(end, remaining.lowest.get(partition, end)) for partition, end in end_offsets.items()}
