"""Faults of workers: killed, stopped, asked to leave, coming and going."""

import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from threading import Lock

from tests.faults.fleet import Worker
from tests.faults.scene import Scene
from tests.support.front import Answer, Bulk

PACE_S = 0.03
BEHIND_ITS_START = 0.85  # of the random kills wait for the worker's first documents; the others for nothing
TAKEN = re.compile(rb'"status":\s*(?:200|201|409)')
AIMED = [(kind, moment) for kind in ("marks", "ledger") for moment in ("asked", "answered")]


def paced(random: Random, most_s: float) -> Callable[[Bulk], Answer | None]:
    """Requests that take a random while, before the node and behind it."""

    def step(bulk: Bulk) -> Answer | None:
        time.sleep(random.uniform(0, most_s))
        answer = bulk.hand_on()
        time.sleep(random.uniform(0, most_s))
        return answer

    return step


def killed_at_random(scene: Scene) -> int:
    """SIGKILL at random moments of a worker's life, one life after another. Hits: documents were out uncommitted."""
    kills = scene.size.kills // scene.size.lanes
    hits = 0
    for _ in range(kills):
        gate = scene.gate(1 / (kills + 2), paced(scene.random, PACE_S))
        worker = scene.start()
        scene.world.bury_dead_members()
        if scene.random.random() < BEHIND_ITS_START:
            scene.eventually(lambda g=gate, w=worker: w.number in g.seen, "the worker asks for documents")
            time.sleep(scene.random.uniform(0, 0.25))
        else:
            time.sleep(scene.random.uniform(0, 0.6))
        worker.killed()
        hits += gate.uncommitted(worker, scene.committed)
    scene.world.bury_dead_members()
    return hits


@dataclass
class Aim:
    """Kills the worker at its `nth` request of a kind, before the node has it or after the node has answered it."""

    scene: Scene
    kind: str
    moment: str
    nth: int
    hit: Bulk | None = None
    took: bytes = b""

    def __call__(self, bulk: Bulk) -> Answer | None:
        """Step in; the worker never gets this answer."""
        if bulk.kind == self.kind and self.hit is None:
            self.nth -= 1
            if self.nth == 0:
                return self._kill(bulk)
        return bulk.hand_on()

    def _kill(self, bulk: Bulk) -> Answer | None:
        if self.moment == "answered":
            self.took = bulk.hand_on().body
        assert bulk.worker is not None
        self.hit = bulk
        self.scene.fleet.workers[bulk.worker].killed()
        return None


def killed_aimed(scene: Scene) -> int:
    """SIGKILL between the node's answer and the commit, and between ledger and commit; each hit is looked at."""
    aims = AIMED * (1 if scene.size.name == "quick" else 5)
    for kind, moment in aims:
        aim = Aim(scene, kind, moment, scene.random.randint(1, 3))
        gate = scene.gate(1.0, aim)
        worker = scene.start()
        scene.world.bury_dead_members()
        worker.ended(scene.size.bound_s)
        assert aim.hit is not None
        assert gate.uncommitted(worker, scene.committed)
        if moment == "answered":
            assert len(TAKEN.findall(aim.took)) >= 0.9 * aim.hit.count, "the node must have taken what is not poison"
        if kind == "ledger":
            entries = [body["perf"]["ledger"] for _, body in aim.hit.pairs]
            committed = scene.committed
            assert all(entry["first_offset"] == committed.get(entry["partition"], 0) for entry in entries)
    scene.world.bury_dead_members()
    return len(aims)


def stopped(scene: Scene) -> int:
    """SIGSTOP with documents in flight, longer than the session: a successor does the work, then the sleeper wakes."""
    gate = scene.gate(0.1)
    workers = [scene.start() for _ in range(2)]
    scene.eventually(lambda: scene.members == 2, "two members")
    sleeper = scene.holding(gate)
    sleeper.signal(signal.SIGSTOP)
    gate.opened.set()
    scene.eventually(lambda: scene.members == 1, "the group gives up on the sleeper")
    scene.eventually(scene.done, "the other does all of it")
    sleeper.signal(signal.SIGCONT)
    scene.post_rest()
    scene.eventually(lambda: scene.members == len(workers), "the sleeper joins again")
    return 1


def terminated(scene: Scene) -> int:
    """SIGTERM with documents in flight: the worker finishes and commits them, so that nobody repeats them."""
    times = 3
    for _ in range(times):
        gate = scene.gate(1 / (times + 1), paced(scene.random, PACE_S))
        worker = scene.start()
        scene.eventually(lambda g=gate, w=worker: w.number in g.seen, "the worker asks for documents")
        time.sleep(scene.random.uniform(0, 0.2))
        worker.signal(signal.SIGTERM)
        gate.opened.set()
        assert worker.ended(scene.size.bound_s) == 0
        assert not gate.uncommitted(worker, scene.committed), "it left documents behind that were not committed"
    assert not scene.done(), "it must be asked in the middle"
    return times


def at_rate(documents_per_s: float) -> Callable[[Bulk], Answer | None]:
    """No more documents in a second than so many, so that the work lasts."""
    lock = Lock()
    free_s = time.monotonic()

    def step(bulk: Bulk) -> Answer | None:
        nonlocal free_s
        if bulk.kind == "marks":
            with lock:
                due_s = free_s = max(free_s, time.monotonic()) + bulk.count / documents_per_s
            time.sleep(max(0.0, due_s - time.monotonic()))
        return bulk.hand_on()

    return step


def coming_and_going(scene: Scene) -> int:
    """Workers join and leave every few seconds while others work; each change is seen in the group."""
    changes = 0
    scene.front.step = at_rate(len(scene.cargo.facts) / (scene.size.changes * (scene.size.change_s + 2)))
    staying: list[Worker] = [scene.start()]
    while changes < scene.size.changes:
        staying.append(scene.start())
        scene.eventually(lambda: scene.members == len(staying), "it joins")
        time.sleep(scene.size.change_s)
        leaving = staying.pop(scene.random.randrange(len(staying)))
        leaving.signal(signal.SIGTERM)
        assert leaving.ended(scene.size.bound_s) == 0
        scene.eventually(lambda: scene.members == len(staying), "it leaves")
        changes += 2
    assert not scene.done(), "they must come and go in the middle"
    return changes


def killed_under_one_roof(scene: Scene) -> int:
    """`run --workers 2`, and each of the two is killed with documents in hand: started anew; SIGTERM ends them all."""
    roof = scene.start("--workers", "2")
    scene.eventually(lambda: scene.members == 2, "two members")
    first = set(roof.children)
    for n, pid in enumerate(first):
        gate = scene.gate((n + 1) * 0.2)
        scene.holding(gate)
        os.kill(pid, signal.SIGKILL)
        scene.eventually(lambda p=pid: len(set(roof.children) - {p}) == 2, "another is started for it")
        gate.opened.set()
    assert not scene.done(), "they must be killed in the middle"
    return len(first)
