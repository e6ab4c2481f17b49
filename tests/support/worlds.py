"""A world for each test of delivery: its own facility, topics and group on the session's real servers."""

import os
from itertools import count
from pathlib import Path

import pytest

from ingest.edge.local.stack import Running
from tests.support.world import ROOT, World

SAMPLES = ROOT / "grammars" / "als_perf" / "samples.log"
_NUMBERS = count(1)


@pytest.fixture
def world(stack: Running, tmp_path: Path) -> World:
    """A fresh facility, whose name is no beginning of another's."""
    return World(stack, tmp_path, f"t{os.getpid()}_{next(_NUMBERS):04}")


@pytest.fixture(scope="session")
def sample_lines() -> list[bytes]:
    """The 35 real lines."""
    return SAMPLES.read_bytes().splitlines()
