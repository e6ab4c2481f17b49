"""What comes in: bad, huge, twice; and the worker's clock set back."""

import os
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ingest.synthetic.workload.generator import Made, Truth
from tests.faults.cargo import Cargo, parted
from tests.faults.scene import Scene
from tests.support.front import Answer, Bulk
from tests.support.world import ROOT

MEMORY_MIB = 300
READ_AGAIN_S = 1  # how often libfaketime looks at what time it is to be
# libfaketime 0.9.10 refuses clock_nanosleep until an absolute time (EINVAL), by which Python sleeps since 3.11.
SLEEP = """
import select, time
time.sleep = lambda span_s: select.select([], [], [], span_s) and None
"""


def nothing(scene: Scene) -> int:
    """No fault but the lines themselves: the dead letters are the hits."""
    scene.start()
    scene.eventually(scene.done, "everything is committed")
    return scene.cargo.outcomes["rejected"]


def huge_messages(scene: Scene) -> int:
    """Messages as large as may be, of bytes that nothing makes smaller, among the others."""
    times = 3
    for _ in range(times):
        data = b":PERF:" + os.urandom(scene.world.settings.delivery.max_message_bytes - 6).replace(b"\n", b"?")
        scene.post(Cargo((replace(scene.cargo.messages[0], data=data, truth=Truth("rejected", "too_long")),)))
    scene.start()
    return times


def shipped_twice(scene: Scene) -> int:
    """The same file goes out through two forwarders, from two hosts under two names, at the same time."""
    before = len(scene.cargo.messages)
    settings = scene.world.settings_text(scene.world.stack.elasticsearch)
    lines = scene.rest.messages
    shippers = []
    for host, name in (("als-a", "perf.log"), ("als-b", "copy-of-perf.log")):
        path = scene.world.written(name, [made.data for made in lines])
        arguments = ("ship", str(path), "--intake", "lines", "--host", host, "--backfill", "--no-manifest")
        shippers.append(scene.fleet.start(settings, *arguments))
    worker = scene.start()
    for shipper in shippers:
        assert shipper.ended(scene.size.bound_s) == 0, shipper.stderr_text
    again = as_repeats(lines)
    scene.cargo = Cargo((*scene.cargo.messages, *lines, *again))
    scene.rest = Cargo(())
    assert sum(scene.world.ends().values()) == before + 2 * len(lines)
    scene.eventually(scene.done, "everything is committed")
    assert worker.code is None
    return len(again)


def clock_set_back(scene: Scene) -> int:
    """The worker's clock is set back by an hour while it runs; time that only grows stays as it is."""
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert libraries, "libfaketime is missing: apt-get install libfaketime"
    now = scene.fleet.folder / "now"
    now.write_text("+0\n")
    (scene.fleet.folder / "sitecustomize.py").write_text(SLEEP)
    environment = {
        "PYTHONPATH": f"{scene.fleet.folder}:{ROOT}",
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(now),
        "FAKETIME_CACHE_DURATION": str(READ_AGAIN_S),
        "DONT_FAKE_MONOTONIC": "1",
    }
    gate = scene.gate(0.3)
    scene.start(environment=environment)
    scene.holding(gate)
    now.write_text("-3600\n")
    time.sleep(READ_AGAIN_S + 0.5)
    gate.opened.set()
    scene.eventually(scene.done, "everything is committed")
    bodies = scene.world.documents("marks", ["event.ingested"]).values()
    hours = Counter(body["event"]["ingested"][:13] for body in bodies)
    assert len(hours) >= 2, f"event.ingested must tell of both hours: {hours}"
    return min(hours.values())


def memory(scene: Scene) -> int:
    """Elasticsearch is away while more and more lines wait; the worker stays small, then and when it is back."""
    worker = scene.start(environment={})
    scene.eventually(lambda: scene.members == 1, "it joins")
    scene.front.away = True
    again = Cargo(as_repeats(scene.rest.messages))
    scene.post_rest()
    while len(scene.cargo.messages) < scene.size.waiting_lines:
        scene.post(again)
    time.sleep(scene.size.away_s)
    assert not scene.progress
    waiting = worker.peak_bytes
    scene.front.away = False
    scene.eventually(scene.done, "everything is committed")
    peaks = [round(peak_bytes / 2**20) for peak_bytes in (waiting, worker.peak_bytes)]
    scene.notes.append(f"peak {peaks[0]} MiB waiting, {peaks[1]} MiB afterwards")
    assert max(peaks) < MEMORY_MIB
    return scene.front.refused


def as_repeats(messages: Iterable[Made]) -> tuple[Made, ...]:
    """The same messages as they come for the second time."""
    return tuple(replace(made, truth=replace(made.truth, repeats=True)) for made in messages)


def backlog(scene: Scene) -> int:
    """What piled up while Elasticsearch was away goes in no more requests than the same lines do undisturbed.

    Turn and turn about. The rates are noted, and nothing is asserted of them: they are the machine's.
    """
    parts = parted(scene.rest, 5)
    scene.rest = Cargo(())
    scene.start()
    scene.post(parts[0])
    scene.eventually(scene.done, "it is warm")
    spent_s: dict[str, list[float]] = {"undisturbed": [], "after a fault": []}
    requests = Counter[str]()
    for part, how in zip(parts[1:], ("undisturbed", "after a fault", "after a fault", "undisturbed"), strict=True):
        refused, answered_s = scene.front.refused, noted(scene)
        scene.front.away = how == "after a fault"
        scene.post(part)
        if scene.front.away:
            scene.eventually(lambda n=refused: scene.front.refused >= n + 3, "it is refused")
            scene.front.away = False
        scene.eventually(scene.done, "everything is committed")
        spent_s[how].append(time.monotonic() - answered_s[0])
        requests[how] += len(answered_s)
    rates = {how: len(parts[1].messages) / min(times_s) for how, times_s in spent_s.items()}
    scene.notes.append(", ".join(f"{rate:,.0f} lines/s {how}" for how, rate in rates.items()))
    assert requests["after a fault"] <= scene.size.most_requests * requests["undisturbed"], requests
    return scene.front.refused


def noted(scene: Scene) -> list[float]:
    """When requests for marks were handed on, from now."""
    answered_s: list[float] = []

    def step(bulk: Bulk) -> Answer | None:
        if bulk.kind == "marks":
            answered_s.append(time.monotonic())
        return bulk.hand_on()

    scene.front.step = step
    return answered_s
