"""What comes in: bad, huge, twice; and the worker's clock set back."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from ingest.synthetic.workload import Truth
from tests.faults.cargo import Cargo
from tests.faults.scene import Scene

HOUR_MS = 3_600_000


def nothing(scene: Scene) -> int:
    """No fault but what the lines are: the dead letters are the hits."""
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
        told = ("ship", str(path), "--intake", "lines", "--host", host, "--backfill")
        shippers.append(scene.fleet.start(settings, *told))
    worker = scene.start()
    for shipper in shippers:
        assert shipper.ended(scene.size.bound_s) == 0, shipper.said
    again = tuple(replace(made, truth=replace(made.truth, repeats=True)) for made in lines)
    scene.cargo = Cargo((*scene.cargo.messages, *lines, *again))
    scene.rest = Cargo(())
    assert sum(scene.world.ends().values()) == before + 2 * len(lines)
    scene.eventually(scene.done, "everything is committed")
    assert worker.code is None
    return len(again)


def clock_set_back(scene: Scene) -> int:
    """The worker's clock is set back by an hour while it runs; time that only grows stays as it is."""
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    assert libraries, "libfaketime is missing: apt-get install libfaketime"
    now = scene.fleet.folder / "now"
    now.write_text("+0\n")
    environment = {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME_TIMESTAMP_FILE": str(now),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    gate = scene.gate(0.3)
    scene.start(environment=environment)
    scene.holding(gate)
    now.write_text("-3600\n")
    gate.opened.set()
    scene.eventually(scene.done, "everything is committed")
    bodies = scene.world.documents("marks", ["event.ingested"]).values()
    hours = Counter(body["event"]["ingested"][:13] for body in bodies)
    assert len(hours) >= 2, f"event.ingested must tell of both hours: {hours}"
    return min(hours.values())
