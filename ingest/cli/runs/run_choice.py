"""Selects the run that a command means: one of several uses of an id; suggests similar ids after a typo."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from ingest.core.model import ExitCode, Problem
from ingest.core.runs.stored import StoredRun

MOST_SUGGESTIONS = 3
LIKENESS_MARGIN = 0.1  # run ids this close to the best match are suggested too
STORED = "`perflog runs` lists the stored runs."


def choose_use(uses: Sequence[StoredRun], instance: int | None) -> StoredRun:
    """Return the newest use of the id, or the given one; `Problem` (64, 66) if that is not exactly one run."""
    owners = sorted({(use.facility, use.source) for use in uses})
    if len(owners) > 1:
        listed = ", ".join(f"{facility} ({source})" for facility, source in owners)
        problem = f"Several facilities or sources have a run {uses[0].run}: {listed}."
        raise Problem(problem, "Select one with --facility or --source.", ExitCode.USAGE)
    by_instance = {use.instance: use for use in uses}
    if instance is not None and instance not in by_instance:
        raise Problem(
            f"The run id {uses[0].run} was used {len(uses)} times.", f"There is no use {instance}.", ExitCode.NO_INPUT
        )
    return by_instance[instance or max(by_instance)]


def no_such_run(run: str, others: Iterable[str], hint: str = STORED) -> Problem:
    """Return a `Problem` (66) that suggests the most similar run ids."""
    likeness = {other: _compare_ids(run, other) for other in others}
    best = max(likeness.values(), default=0)
    similar = sorted(
        (other for other in likeness if best - likeness[other] < LIKENESS_MARGIN), key=lambda o: (-likeness[o], o)
    )
    similar = similar[:MOST_SUGGESTIONS]
    remedy = f"Did you mean {' or '.join(similar)}?" if similar else hint
    return Problem(f"There is no run {run}.", remedy, ExitCode.NO_INPUT)


def _compare_ids(run: str, other: str) -> float:
    return SequenceMatcher(None, run, other, autojunk=False).ratio()
