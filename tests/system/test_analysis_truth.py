"""What `perflog analyze --json` tells of generated files, held against what the generator knows of each run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ingest.cli.runs import analyze
from ingest.core.timestamps import iso
from ingest.synthetic.workload.generator import messages, runs_truth
from ingest.synthetic.workload.truth import START_MS, RunTruth, Shares, Slowed, Workload
from tests.system.test_runs_truth import MIXED, in_order, lost_start, queue_ms, shows_overlap

NEVER_CLOSED = {"timeout": "open"}  # the run is over and nothing closed it: to the generator it is open


def told(folder: Path, workload: Workload) -> dict[str, Any]:
    """What the command prints of a file with these lines."""
    path = folder / "made.log"
    path.write_bytes(b"".join(made.data + b"\n" for made in messages(workload)))
    done = CliRunner().invoke(analyze.command, [str(path), "--json", "--facility", "als"], standalone_mode=False)
    assert done.exception is None, done.exception
    found: dict[str, Any] = json.loads(done.stdout_bytes)
    return found


def beside(found: dict[str, Any], workload: Workload) -> Iterator[tuple[RunTruth, dict[str, Any]]]:
    """Each run by plan and as told; runs of which no line is there are in neither."""
    planned: dict[str, list[RunTruth]] = {}
    for truth in runs_truth(workload):
        if truth.first_ms is not None:
            planned.setdefault(truth.run, []).append(truth)
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in found["runs"]:
        rows.setdefault(row["run"], []).append(row)
    assert planned.keys() == rows.keys()
    for run, truths in planned.items():
        own = sorted(rows[run], key=lambda row: row["instance"])
        assert {row["instances"] for row in own} == {len(truths)}
        yield from zip(truths, own, strict=True)


@pytest.mark.parametrize("shares", [Shares(), Shares(with_ends=1), MIXED], ids=["plain", "with_ends", "mixed"])
def test_runs_stages_and_waits_are_what_the_generator_knows(tmp_path: Path, shares: Shares) -> None:
    """Begin, queue, and of each stage its name, start, kind, seconds and closer, wherever lines let anybody know it."""
    workload = Workload(41, 6_000, shares=shares)
    found = told(tmp_path, workload)
    whole = 0
    for truth, row in beside(found, workload):
        there = in_order(truth)
        assert row["begin"] == iso(truth.first_ms or 0)
        assert row["queue_wait_s"] == (None if (ms := queue_ms(truth)) is None else ms / 1000)
        assert [stage["start"] for stage in row["stages_in_order"]] == [
            iso(stage.start_ms + truth.skew_s * 1000) for stage in there
        ]
        if any(lost_start(truth, stage) for stage in there) or truth.parallel != shows_overlap(truth):
            continue
        whole += 1
        told_ = [
            (s["stage"], s["duration_kind"], s["duration_s"], NEVER_CLOSED.get(s["closed_by"], s["closed_by"]))
            for s in row["stages_in_order"]
        ]
        planned = [(stage.stage, stage.kind, stage.known_s, stage.closed_by) for stage in there]
        assert sorted(told_, key=str) == sorted(planned, key=str)
    assert whole > 0.9 * len(found["runs"]) > 100


def test_lines_are_counted_as_the_generator_knows(tmp_path: Path) -> None:
    """Read, refused and ignored; a refused one is told with the place of the first like it."""
    workload = Workload(42, 5_000, shares=MIXED)
    found = told(tmp_path, workload)
    outcomes = [made.truth.outcome for made in messages(workload)]

    assert (found["lines"], found["read"], found["rejected"], found["ignored"]) == (
        5_000, outcomes.count("stored"), outcomes.count("rejected"), outcomes.count("ignored")
    )  # fmt: skip
    assert all(outcomes[reject["number"] - 1] == "rejected" for reject in found["rejects"])


def test_a_stage_that_is_slowed_is_found(tmp_path: Path) -> None:
    """Among steady runs with one stage three times as long from an instant on: all that is slow is that stage."""
    slowed = Slowed("SUBMIT_NORM", 3, START_MS + 40 * 3_600_000)
    workload = Workload(43, 8_000, span_s=200_000, slowed=(slowed,), steady=True)
    found = told(tmp_path, workload)["outliers"]

    assert found["counts"]["slow"] == len(found["slow"]) >= 3
    assert {row["stage"] for row in found["slow"]} == {"SUBMIT_NORM"}
    assert all(row["n"] >= 8 and row["baseline"]["median_s"] < row["duration_s"] for row in found["slow"])
    assert found["counts"]["insufficient"] > 0
