"""Compare `perflog analyze --json` of generated files with the generator's truth of each run."""

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


def analysis_of(folder: Path, workload: Workload) -> dict[str, Any]:
    """The JSON of `analyze` for a file with these lines."""
    path = folder / "made.log"
    path.write_bytes(b"".join(made.data + b"\n" for made in messages(workload)))
    done = CliRunner().invoke(analyze.command, [str(path), "--json", "--facility", "als"], standalone_mode=False)
    assert done.exception is None, done.exception
    analysis: dict[str, Any] = json.loads(done.stdout_bytes)
    return analysis


def pairs(analysis: dict[str, Any], workload: Workload) -> Iterator[tuple[RunTruth, dict[str, Any]]]:
    """Each run as planned and as analysed; both leave out runs without a line."""
    planned: dict[str, list[RunTruth]] = {}
    for truth in runs_truth(workload):
        if truth.first_ms is not None:
            planned.setdefault(truth.run, []).append(truth)
    shown_runs: dict[str, list[dict[str, Any]]] = {}
    for shown_run in analysis["runs"]:
        shown_runs.setdefault(shown_run["run"], []).append(shown_run)
    assert planned.keys() == shown_runs.keys()
    for run, truths in planned.items():
        own = sorted(shown_runs[run], key=lambda shown_run: shown_run["instance"])
        assert {shown_run["instances"] for shown_run in own} == {len(truths)}
        yield from zip(truths, own, strict=True)


@pytest.mark.parametrize("shares", [Shares(), Shares(with_ends=1), MIXED], ids=["plain", "with_ends", "mixed"])
def test_runs_stages_and_waits_agree_with_the_generator(tmp_path: Path, shares: Shares) -> None:
    """Compare begin and queue, and name, start, kind, seconds and closer of each stage, where the lines show them."""
    workload = Workload(41, 6_000, shares=shares)
    analysis = analysis_of(tmp_path, workload)
    whole = 0
    for truth, shown_run in pairs(analysis, workload):
        stages = in_order(truth)
        assert shown_run["begin"] == iso(truth.first_ms or 0)
        assert shown_run["queue_wait_s"] == (None if (ms := queue_ms(truth)) is None else ms / 1000)
        assert [stage["start"] for stage in shown_run["stages_in_order"]] == [
            iso(stage.start_ms + truth.skew_s * 1000) for stage in stages
        ]
        if any(lost_start(truth, stage) for stage in stages) or truth.parallel != shows_overlap(truth):
            continue
        whole += 1
        shown_stages = [
            (s["stage"], s["duration_kind"], s["duration_s"], NEVER_CLOSED.get(s["closed_by"], s["closed_by"]))
            for s in shown_run["stages_in_order"]
        ]
        planned = [(stage.stage, stage.kind, stage.known_s, stage.closed_by) for stage in stages]
        assert sorted(shown_stages, key=str) == sorted(planned, key=str)
    assert whole > 0.9 * len(analysis["runs"]) > 100


def test_counts_of_lines_agree_with_the_generator(tmp_path: Path) -> None:
    """Read, refused and ignored; a reject names the line of the first one like it."""
    workload = Workload(42, 5_000, shares=MIXED)
    analysis = analysis_of(tmp_path, workload)
    outcomes = [made.truth.outcome for made in messages(workload)]

    assert (analysis["lines"], analysis["read"], analysis["rejected"], analysis["ignored"]) == (
        5_000, outcomes.count("stored"), outcomes.count("rejected"), outcomes.count("ignored")
    )  # fmt: skip
    assert all(outcomes[reject["number"] - 1] == "rejected" for reject in analysis["rejects"])


def test_a_slowed_stage_is_an_outlier(tmp_path: Path) -> None:
    """In steady runs one stage takes three times as long from an instant on: only that stage is slow."""
    slowed = Slowed("SUBMIT_NORM", 3, START_MS + 40 * 3_600_000)
    workload = Workload(43, 8_000, span_s=200_000, slowed=(slowed,), steady=True)
    outliers = analysis_of(tmp_path, workload)["outliers"]

    assert outliers["counts"]["slow"] == len(outliers["slow"]) >= 3
    assert {stage["stage"] for stage in outliers["slow"]} == {"SUBMIT_NORM"}
    assert all(stage["n"] >= 8 and stage["baseline"]["median_s"] < stage["duration_s"] for stage in outliers["slow"])
    assert outliers["counts"]["insufficient"] > 0
