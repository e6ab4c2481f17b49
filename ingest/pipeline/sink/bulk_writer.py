"""Sends bulk requests and repeats every action until Elasticsearch has given it a final answer."""

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


def parts(actions: Sequence[BulkAction], wanted: Sequence[int], limits: RequestLimits) -> Iterator[list[int]]:
    """Split the wanted positions into requests within the limits; an oversized action gets a request of its own."""
    return batched(wanted, lambda position: len(actions[position].text), limits.size_bytes, limits.documents)


class BulkWriter:
    """Writes actions until each has a final answer, one that a retry would not change."""

    def __init__(self, bulk: Bulk, retry_policy: RetryPolicy, limits: RequestLimits) -> None:
        """Bind a store's `bulk` or `swap` function, the retry policy, and the limits of one request."""
        self._bulk = bulk
        self._retry_policy = retry_policy
        self.limits = limits

    def write(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """Return the final answer to each action, in order.

        Returns only when all answers are final; raises `StopRequested` if the worker is asked to stop.
        """
        answers = [CREATED] * len(actions)
        missing: Sequence[int] = range(len(actions))
        attempt = 0
        while missing:
            unanswered: list[int] = []
            for part in parts(actions, missing, self.limits):
                for position, answer in zip(part, self._ask(actions, part), strict=True):
                    answers[position] = answer
                    if answer is not CREATED and not is_final(answer):
                        unanswered.append(position)
            if unanswered:
                self._retry_policy.wait(retry_reason([answers[n] for n in unanswered]), attempt)
                attempt = 0 if len(unanswered) < len(missing) else attempt + 1
            missing = unanswered
        return answers

    def _ask(self, actions: Sequence[BulkAction], part: Sequence[int]) -> list[ItemResult]:
        """Send one request, or split it if it is too large; a single oversized document gets a 413 as its answer."""
        try:
            return self._retry_policy.until_done(lambda: self._bulk([actions[n] for n in part]))
        except RequestTooLarge as error:
            if len(part) == 1:
                return [ItemResult(413, error="too_large", reason=str(error))]
        middle = len(part) // 2
        return self._ask(actions, part[:middle]) + self._ask(actions, part[middle:])


def retry_reason(answers: Sequence[ItemResult]) -> str:
    """Say in one sentence why items must be retried; a setting to fix is named before a busy cluster."""
    worst = next((a for a in answers if item_status(a) is ItemStatus.BLOCKED), answers[0])
    why = f"{worst.status} {worst.error}: {worst.reason}" if worst.error else str(worst.status)
    operator_note = f" {NEEDS_OPERATOR}" if item_status(worst) is ItemStatus.BLOCKED else ""
    return f"Elasticsearch deferred {len(answers)} documents ({why}).{operator_note}"
