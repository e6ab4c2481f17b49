"""Faults of the servers themselves: ended, killed, blocked, full, without their templates."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.faults.scene import Scene
from tests.faults.servers import ELASTICSEARCH, KAFKA
from tests.support.front import Answer, Bulk

FLOOD = {
    "cluster.routing.allocation.disk.threshold_enabled": True,
    "cluster.routing.allocation.disk.watermark.low": "1000003gb",
    "cluster.routing.allocation.disk.watermark.high": "1000002gb",
    "cluster.routing.allocation.disk.watermark.flood_stage": "1000001gb",
    "cluster.info.update.interval": "10s",
}


def broker_away(how: signal.Signals) -> Callable[[Scene], int]:
    """The broker is ended by a signal while two workers have documents in hand, and comes back."""

    def fault(scene: Scene) -> int:
        gate = scene.gate(0.3)
        for _ in range(2):
            scene.start()
        scene.holding(gate)
        scene.servers.down(KAFKA, how)
        gate.opened.set()
        time.sleep(scene.size.outage_s)
        scene.servers.start(KAFKA)
        assert not scene.done(), "it must be away in the middle"
        return 1

    return fault


def node_away(how: signal.Signals) -> Callable[[Scene], int]:
    """Elasticsearch is ended by a signal in the middle of the work, and comes back; no front is in between."""

    def fault(scene: Scene) -> int:
        for _ in range(2):
            scene.start(direct=True)
        scene.eventually(lambda: scene.progress > 0, "the work begins")
        scene.servers.down(ELASTICSEARCH, how)
        assert not scene.done(), "it must be away in the middle"
        time.sleep(scene.size.outage_s)
        scene.servers.start(ELASTICSEARCH)
        return 1

    return fault


def templates_gone(scene: Scene) -> int:
    """Without templates a worker refuses to start (78) and names the remedy; with them everything is done."""
    scene.world.client.indices.delete_index_template(name="perf-*")
    worker = scene.start()
    worker.meant = 78
    assert worker.ended(scene.size.bound_s) == 78, worker.stderr_text
    assert "perflog setup" in worker.stderr_text, worker.stderr_text
    # By the client: a fresh cluster makes the topic of its offsets only when somebody looks for a coordinator.
    assert scene.world.committed() == {}
    setup = scene.fleet.start(scene.world.settings_text(scene.world.stack.elasticsearch), "setup")
    assert setup.ended(scene.size.bound_s) == 0, setup.stderr_text
    return 1


class Counted:
    """Forward requests, and count the answers that contain a word."""

    def __init__(self, word: bytes) -> None:
        self.word = word
        self.hits = 0

    def __call__(self, bulk: Bulk) -> Answer | None:
        """Step in."""
        answer = bulk.hand_on()
        self.hits += self.word in answer.body
        return answer


Block = Callable[[Scene], AbstractContextManager[None]]


def while_refused(scene: Scene, word: bytes, share: float, block: Block) -> int:
    """Hold a worker's documents, block the cluster, let them go, and unblock only when they were refused by `word`."""
    counted = Counted(word)
    gate = scene.gate(share, counted)
    scene.start()
    scene.holding(gate)
    with block(scene):
        before = scene.progress
        gate.opened.set()
        scene.eventually(lambda: counted.hits >= 3, f"the worker is refused by {word.decode()} and tries again")
        time.sleep(scene.size.outage_s)
        assert scene.progress - before < len(scene.cargo.messages) / 2
    return counted.hits


def indices(scene: Scene) -> str:
    """The pattern of the indices that hold the facts."""
    return f"perf-marks-{scene.world.facility}-*"


def blocked(name: str) -> Callable[[Scene], int]:
    """An index block that a person or the node itself sets."""

    @contextmanager
    def block(scene: Scene) -> Iterator[None]:
        scene.world.client.indices.put_settings(index=indices(scene), settings={name: True})
        yield
        scene.world.client.indices.put_settings(index=indices(scene), settings={name: None})

    return lambda scene: while_refused(scene, b"cluster_block_exception", 0.3, block)


@contextmanager
def _no_more_shards(scene: Scene) -> Iterator[None]:
    scene.world.client.cluster.put_settings(persistent={"cluster.max_shards_per_node": 1})
    yield
    scene.world.client.cluster.put_settings(persistent={"cluster.max_shards_per_node": None})


def shard_limit(scene: Scene) -> int:
    """The node may hold no further shard, so that no index comes up."""
    return while_refused(scene, b"maximum", 0.0, _no_more_shards)


@contextmanager
def _full(scene: Scene) -> Iterator[None]:
    client = scene.world.client
    client.cluster.put_settings(persistent=FLOOD)

    def is_blocked() -> bool:
        settings = client.indices.get_settings(index=indices(scene), name="index.blocks.read_only_allow_delete")
        return bool(settings.body)

    scene.eventually(is_blocked, "the node sets its block at the flood stage")
    yield
    client.cluster.put_settings(persistent=dict.fromkeys(FLOOD))
    scene.eventually(lambda: not is_blocked(), "the node lifts its block")


def disk_full(scene: Scene) -> int:
    """The node finds less space free than the flood stage wants, and blocks every index by itself."""
    return while_refused(scene, b"cluster_block_exception", 0.3, _full)
