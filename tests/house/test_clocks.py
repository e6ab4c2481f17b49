"""No test asserts a time by the wall clock: what reads a clock is listed here, with the reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "tests").rglob("*.py"))
CLOCKS = {
    "time": {
        f"{name}{unit}"
        for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
        for unit in ("", "_ns")
    },
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
# Files that read a clock, and what for: nothing of it is asserted.
READERS = {
    "tests/support/waiting.py": "a deadline against a hang",
    "tests/faults/test_faults.py": "the report says how long a fault took",
    "tests/faults/content_faults.py": "the report says how many lines went in a second",
    "tests/faults/worker_faults.py": "the front takes no more than so many documents a second",
    "tests/pipeline/intake/test_ship_backfill.py": "a live line is of now: the broker's clock is real",
}


def clock_reads(tree: ast.AST) -> Iterator[str]:
    """What reads a clock: `time.monotonic`, `from time import monotonic`, `datetime.now`; or what Hypothesis limits."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS.get(ast.unparse(node.value).split(".")[-1], ()):
            yield ast.unparse(node)
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"time.{alias.name}" for alias in node.names if alias.name in CLOCKS["time"])
        if isinstance(node, ast.keyword) and node.arg == "deadline" and ast.unparse(node.value) != "None":
            yield ast.unparse(node)


def test_no_other_test_reads_a_clock() -> None:
    """A test counts work, or hands in a clock; a file that reads one no more leaves the list."""
    reads = {
        str(path.relative_to(ROOT)): names
        for path in FILES
        if (names := list(clock_reads(ast.parse(path.read_text()))))
    }

    assert {path: names for path, names in reads.items() if path not in READERS} == {}
    assert sorted(READERS) == sorted(set(READERS) & set(reads))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("began_s = time.monotonic()", ["time.monotonic"]),
        ("from time import perf_counter, sleep", ["time.perf_counter"]),
        ("cost(timer=time.thread_time_ns)", ["time.thread_time_ns"]),
        ("datetime.datetime.now(UTC) - then", ["datetime.datetime.now"]),
        ("@settings(deadline=200)\ndef test_x(): pass", ["deadline=200"]),
        ("@settings(deadline=None)\ndef test_x(): time.sleep(1)", []),
        ("run.time() + clock.now()", []),
    ],
)
def test_a_reading_of_a_clock_is_seen(text: str, names: list[str]) -> None:
    """However it is written."""
    assert list(clock_reads(ast.parse(text))) == names
