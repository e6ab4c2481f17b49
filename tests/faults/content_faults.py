"""What comes in: too large, twice, at the wrong time, and more than there is room for."""

import os
import time
from dataclasses import replace
from pathlib import Path

from tests.faults.cargo import Cargo
from tests.faults.scene import Scene
from tests.faults.standin import Made, Truth

FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
)
MEMORY_BOUND_BYTES = 300 * 2**20
HOUR_S = 3600
LEAST_RATE = 0.8


def nothing(scene: Scene) -> int:
    """No fault but what the lines are."""
    scene.start()
    scene.eventually(scene.done, "everything is committed")
    return scene.cargo.outcomes["rejected"]


def huge_messages(scene: Scene) -> int:
    """Three messages as large as may be, of bytes that nothing makes smaller, among the others."""
    for _ in range(3):
        data = b":PERF:" + os.urandom(scene.world.settings.delivery.max_message_bytes - 6).replace(b"\n", b"?")
        made = replace(scene.cargo.messages[0], data=data, truth=Truth("rejected", "too_long", (), False))
        scene.post(Cargo((made,)))
    scene.start()
    scene.eventually(scene.done, "everything is committed")
    return 3
