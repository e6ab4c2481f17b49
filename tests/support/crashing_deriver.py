"""A worker's deriver that dies at a chosen write, on the real node: the worker as a process does the same, slower."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingest.core.bulk import BulkAction
from ingest.core.bulk_result import ItemResult
from ingest.core.records.updates import BatchUpdates
from ingest.edge.elasticsearch.states import ElasticsearchStates
from ingest.edge.elasticsearch.store import ElasticsearchStore
from ingest.pipeline.derive.deriver import Deriver, RunCache
from ingest.pipeline.derive.sweeper import Sweeper, Swept
from ingest.pipeline.sink.bulk_writer import BulkWriter, RequestLimits
from ingest.pipeline.sink.cas import CasWriter
from ingest.pipeline.sink.retry import RetryPolicy
from tests.support.world import World

LIMITS = RequestLimits(5 * 1024 * 1024, 500)


class Died(Exception):
    """The worker is gone; only its writes remain."""


def kinds(actions: Sequence[BulkAction]) -> set[str]:
    """The kinds in a request."""
    return {action[0].split("-")[1] for action in actions}


@dataclass
class Stumble:
    """Die at the `nth` write; `moment`: asked (the node gets nothing), part (a part), answered (all)."""

    nth: int
    moment: str

    def at(self, actions: Sequence[BulkAction], ask: Callable[[Sequence[BulkAction]], Any]) -> str:
        """Write as far as the moment allows; return where it died, as `moment kinds`."""
        if self.moment == "part":
            ask(self.first_part(actions))
        elif self.moment == "answered":
            ask(actions)
        return f"{self.moment} {'+'.join(sorted(kinds(actions)))}"

    @staticmethod
    def first_part(actions: Sequence[BulkAction]) -> Sequence[BulkAction]:
        """The stages without their runs; of others the first half."""
        stages = [action for action in actions if action[0].startswith("perf-stages")]
        return stages or actions[: (len(actions) + 1) // 2]


@dataclass
class Stumbling:
    """A store in which the worker dies."""

    store: ElasticsearchStore
    stumble: Stumble | None = None
    deaths: list[str] = field(default_factory=list)
    seen: list[tuple[str, ...]] = field(default_factory=list)
    sent: list[BulkAction] = field(default_factory=list)

    def bulk(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """As the store, or die."""
        return self._send(actions, self.store.bulk)

    def rewrite(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """As the store, or die."""
        return self._send(actions, self.store.rewrite)

    def swap(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """As the store, or die."""
        return self._send(actions, self.store.swap)

    def _send(
        self, actions: Sequence[BulkAction], ask: Callable[[Sequence[BulkAction]], list[ItemResult]]
    ) -> list[ItemResult]:
        if actions and self.stumble is not None:
            self.stumble.nth -= 1
            if self.stumble.nth == 0:
                self.deaths.append(self.stumble.at(actions, ask))
                raise Died(self.deaths[-1])
        self.sent += actions
        return ask(actions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@dataclass
class Worker:
    """A deriver; when it dies in a round, a new one with an empty cache takes its place."""

    world: World
    store: Stumbling
    cache_marks: int = 100_000
    deriver: Deriver = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start a new deriver with an empty cache."""
        retry_policy = RetryPolicy(0.01, 0.05)
        cas_writer = CasWriter(self.store, BulkWriter(self.store.swap, retry_policy, LIMITS), retry_policy)
        writer = BulkWriter(self.store.rewrite, retry_policy, LIMITS)
        self.deriver = Deriver(self.world.knowledge.schema, cas_writer, writer, 1, RunCache(self.cache_marks))

    def derive(self, batch: BatchUpdates, stumble: Stumble | None = None) -> bool:
        """Derive once; return whether the deriver survived."""
        self.store.stumble = stumble
        try:
            self.deriver.derive([batch])
        except Died:
            self.begin()
            return False
        finally:
            self.store.stumble = None
        return True


def worker(world: World, cache_marks: int = 100_000) -> Worker:
    """A worker on the world's node."""
    return Worker(world, Stumbling(ElasticsearchStore(world.client)), cache_marks)


def sweep(world: World, store: Stumbling | None = None) -> Swept:
    """A sweep of the world's marks; its writes go through a worker's store, in which it may die."""
    retry_policy, own = RetryPolicy(0.01, 0.05), store or worker(world).store
    cas_writer = CasWriter(own, BulkWriter(own.swap, retry_policy, LIMITS), retry_policy)
    states = ElasticsearchStates(world.client)
    sweeper = Sweeper(states, cas_writer, BulkWriter(own.rewrite, retry_policy, LIMITS), world.knowledge.schema)
    return sweeper.sweep([(world.facility, "als_perf")])
