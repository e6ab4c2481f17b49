"""Answers delayed, cut in the middle, busy for half the items, unavailable for all, too large: made in a front."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from tests.faults.scene import Scene
from tests.support.front import Answer, Bulk, refusal

BUSY = {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "the queue is full"}}


@dataclass
class First:
    """Apply `action` to the first `times` requests for marks that fit; forward the others."""

    times: int
    action: Callable[[Bulk], Answer | None]
    fits: Callable[[Bulk], bool] = lambda _: True
    hits: int = 0
    lock: Lock = field(default_factory=Lock)

    def __call__(self, bulk: Bulk) -> Answer | None:
        """Step in."""
        with self.lock:
            mine = bulk.kind == "marks" and self.hits < self.times and self.fits(bulk)
            self.hits += mine
        return self.action(bulk) if mine else bulk.hand_on()


def answered(times: int, action: Callable[[Scene, Bulk], Answer | None], at_least: int = 2) -> Callable[[Scene], int]:
    """A fault: one worker meets `action` in so many of its answers; a request needs `at_least` documents for it."""

    def fault(scene: Scene) -> int:
        step = First(times, lambda bulk: action(scene, bulk), lambda bulk: bulk.count >= at_least)
        scene.front.step = step
        scene.start()
        scene.eventually(lambda: step.hits == times, "every fault hits")
        return step.hits

    return fault


def late(scene: Scene, bulk: Bulk) -> Answer:
    """The node did it, but its answer comes after the worker's patience with a request."""
    answer = bulk.hand_on()
    time.sleep(scene.world.timeout_s * 1.1)
    return answer


def cut(_: Scene, bulk: Bulk) -> Answer:
    """The node did it, but the connection breaks in the middle of the answer."""
    answer = bulk.hand_on()
    return Answer(answer.status, answer.headers, answer.body, cut_bytes=len(answer.body) // 2)


def half_busy(_: Scene, bulk: Bulk) -> Answer:
    """Every second document is taken, the others are answered 429."""
    taken = list(range(0, bulk.count, 2))
    results = iter(json.loads(bulk.hand_on_only(taken).body)["items"])
    items = [next(results) if n % 2 == 0 else {"index": BUSY} for n in range(bulk.count)]
    return refusal(200, {"errors": True, "took": 1, "items": items})


def unavailable(scene: Scene, bulk: Bulk) -> Answer:
    """503 for all of it, whether the node had it or not."""
    if scene.random.random() < 0.5:
        bulk.hand_on()
    return refusal(503, {"error": {"type": "unavailable_shards_exception", "reason": "nobody there"}, "status": 503})


def too_large(_: Scene, bulk: Bulk) -> Answer:
    """413, as a proxy before the node says it."""
    return Answer(413, (("content-type", "text/html"),), b"<h1>413 Request Entity Too Large</h1>")
