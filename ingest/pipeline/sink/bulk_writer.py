"""Sends bulk requests and repeats every action until its result is final."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ingest.core.batching import batched
from ingest.core.bulk import BulkAction
from ingest.core.bulk_result import CREATED, ItemResult, ItemStatus, is_final, item_status
from ingest.edge.errors import RequestTooLarge
from ingest.pipeline.sink.retry import NEEDS_OPERATOR, RetryPolicy

log = logging.getLogger("perflog.run")
Bulk = Callable[[Sequence[BulkAction]], list[ItemResult]]


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The maximum size of one bulk request."""

    size_bytes: int
    documents: int


def split(actions: Sequence[BulkAction], positions: Sequence[int], limits: RequestLimits) -> Iterator[list[int]]:
    """Split the wanted positions into requests within the limits; an oversized action gets a request of its own."""
    return batched(positions, lambda position: len(actions[position].text), limits.size_bytes, limits.documents)


class BulkWriter:
    """Writes actions until the result of each is final: a retry would not change it."""

    def __init__(self, bulk: Bulk, retry_policy: RetryPolicy, limits: RequestLimits) -> None:
        """Bind a store's `bulk` or `swap` function, the retry policy, and the limits of one request."""
        self._bulk = bulk
        self._retry_policy = retry_policy
        self.limits = limits

    def write(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """Return the final result of each action, in order.

        Returns only when all results are final; raises `StopRequested` if the worker is asked to stop.
        """
        results = [CREATED] * len(actions)
        pending: Sequence[int] = range(len(actions))
        attempt = 0
        while pending:
            deferred: list[int] = []
            for part in split(actions, pending, self.limits):
                for position, result in zip(part, self._ask(actions, part), strict=True):
                    results[position] = result
                    if result is not CREATED and not is_final(result):
                        deferred.append(position)
            if deferred:
                self._retry_policy.wait(retry_reason([results[n] for n in deferred]), attempt)
                attempt = 0 if len(deferred) < len(pending) else attempt + 1
            pending = deferred
        return results

    def _ask(self, actions: Sequence[BulkAction], part: Sequence[int]) -> list[ItemResult]:
        """Send one request, or split it if it is too large; a single oversized document gets a 413 as its result."""
        try:
            return self._retry_policy.until_done(lambda: self._bulk([actions[n] for n in part]))
        except RequestTooLarge as error:
            if len(part) == 1:
                return [ItemResult(413, error="too_large", reason=str(error))]
        middle = len(part) // 2
        return self._ask(actions, part[:middle]) + self._ask(actions, part[middle:])


def retry_reason(results: Sequence[ItemResult]) -> str:
    """Say in one sentence why items must be retried; a setting to fix is named before a busy cluster."""
    worst = next((result for result in results if item_status(result) is ItemStatus.BLOCKED), results[0])
    why = f"{worst.status} {worst.error}: {worst.reason}" if worst.error else str(worst.status)
    operator_note = f" {NEEDS_OPERATOR}" if item_status(worst) is ItemStatus.BLOCKED else ""
    return f"Elasticsearch deferred {len(results)} documents ({why}).{operator_note}"
