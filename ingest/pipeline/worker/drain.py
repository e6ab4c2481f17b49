"""Decides when `run --drain` is done: all records present at the start have been read and committed."""

from collections.abc import Callable, Sequence

from ingest.core.kafka_record import Partition
from ingest.pipeline.worker.worker import Worker


def until_drained(loop: Worker, topics: Sequence[str]) -> Callable[[Worker], bool]:
    """Return a test for whether every partition is committed up to its current end, by this worker or another.

    If the group's committed offset lies beyond the end, the topic was deleted and created again, and the group has not
    read the new one. Such a partition counts only once this worker owns it. Call the test only when the worker is idle.
    """
    until_done = loop.threads.context.retry_policy.until_done
    ends = until_done(lambda: loop.consumer.end_offsets(topics))
    committed = {at: until_done(lambda at=at: loop.consumer.committed(at)) for at in ends}  # type: ignore[misc]
    recreated = {at for at, end in ends.items() if (committed[at] or 0) > end}
    left = dict(ends)

    def caught_up(loop: Worker) -> bool:
        for partition, end in list(left.items()):
            if _reached(loop, partition, end, recreated):
                del left[partition]
        return not left

    return caught_up


def _reached(loop: Worker, partition: Partition, end: int, recreated: set[Partition]) -> bool:
    if partition in loop.trackers:
        at = loop.call_kafka(lambda: loop.consumer.position(partition))
    elif partition in recreated:
        return False
    else:
        at = loop.call_kafka(lambda: loop.consumer.committed(partition))
    return (at or 0) >= end
