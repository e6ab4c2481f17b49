"""Whether a worker has caught up with what was in the topics when it was asked: the end of `run --drain`."""

from collections.abc import Callable, Sequence

from ingest.core.kafka_record import Partition
from ingest.pipeline.worker.worker import Worker


def until_drained(loop: Worker, topics: Sequence[str]) -> Callable[[Worker], bool]:
    """Whether every partition has been read and committed up to its end as it is now, by us or by others.

    A group that stands beyond the end has not read a topic that was made anew: such a partition counts once it is ours.
    To be asked only while nothing is in hand.
    """
    ask = loop.threads.services.retry_policy.until_done
    ends = ask(lambda: loop.inbox.end_offsets(topics))
    anew = {at for at, end in ends.items() if (ask(lambda at=at: loop.inbox.committed(at)) or 0) > end}  # type: ignore[misc]
    left = dict(ends)

    def caught_up(loop: Worker) -> bool:
        for partition, end in list(left.items()):
            if _reached(loop, partition, end, anew):
                del left[partition]
        return not left

    return caught_up


def _reached(loop: Worker, partition: Partition, end: int, anew: set[Partition]) -> bool:
    if partition in loop.trackers:
        at = loop.with_kafka(lambda: loop.inbox.position(partition))
    elif partition in anew:
        return False
    else:
        at = loop.with_kafka(lambda: loop.inbox.committed(partition))
    return (at or 0) >= end
