"""Our own bulk loop: every action is asked for until Elasticsearch has answered it for good."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ingest.core.bulk import BulkAction
from ingest.core.bulk_result import CREATED, ItemResult, ItemStatus, is_final, item_status
from ingest.edge.errors import RequestTooLarge
from ingest.pipeline.sink.retry import NEEDS_OPERATOR, RetryPolicy

log = logging.getLogger("perflog.run")
Bulk = Callable[[Sequence[BulkAction]], list[ItemResult]]


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The most that goes into one request."""

    size_bytes: int
    documents: int


def parts(actions: Sequence[BulkAction], wanted: Sequence[int], limits: RequestLimits) -> Iterator[list[int]]:
    """The wanted positions in requests within the limits; an action larger than they allow goes alone."""
    part: list[int] = []
    size_bytes = 0
    for position in wanted:
        weight_bytes = len(actions[position].text)
        if part and (size_bytes + weight_bytes > limits.size_bytes or len(part) >= limits.documents):
            yield part
            part, size_bytes = [], 0
        part.append(position)
        size_bytes += weight_bytes
    if part:
        yield part


class BulkWriter:
    """Writes actions until each has an answer that asking again would not change."""

    def __init__(self, bulk: Bulk, retry_policy: RetryPolicy, limits: RequestLimits) -> None:
        """Bind a store's `bulk` or `swap`, how to wait for it, and how much to ask at once."""
        self._bulk = bulk
        self._retry_policy = retry_policy
        self.limits = limits

    def write(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """The final answer to each action, in order. Returns only when all are there; `Stopped` when asked to stop."""
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
        """One request, or two when it was too large; a single document that is too large is that document's fault."""
        try:
            return self._retry_policy.until_done(lambda: self._bulk([actions[n] for n in part]))
        except RequestTooLarge as error:
            if len(part) == 1:
                return [ItemResult(413, error="too_large", reason=str(error))]
        middle = len(part) // 2
        return self._ask(actions, part[:middle]) + self._ask(actions, part[middle:])


def retry_reason(answers: Sequence[ItemResult]) -> str:
    """Why items must be tried again, in one sentence; a fault of ours before a busy cluster."""
    worst = next((a for a in answers if item_status(a) is ItemStatus.OURS), answers[0])
    why = f"{worst.status} {worst.error}: {worst.reason}" if worst.error else str(worst.status)
    for_whom = f" {NEEDS_OPERATOR}" if item_status(worst) is ItemStatus.OURS else ""
    return f"Elasticsearch put off {len(answers)} documents ({why}).{for_whom}"
