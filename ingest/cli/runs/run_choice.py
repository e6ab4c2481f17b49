"""Selects the run that a command means: one of several uses of an id; suggests similar ids after a typo."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from ingest.core.model import ExitCode, Problem
from ingest.core.runs.stored import StoredRun

NEAR_ONES = 3
HARDLY_LESS = 0.1  # run ids this close to the best match are suggested too
STORED = "`perflog runs` lists those there are."


def chosen(uses: Sequence[StoredRun], instance: int | None) -> StoredRun:
    """Return the newest use of the id, or the given one; `Problem` (64, 66) if that is not exactly one run."""
    whose = sorted({(use.facility, use.source) for use in uses})
    if len(whose) > 1:
        named = ", ".join(f"{facility} ({source})" for facility, source in whose)
        what = f"Several have a run {uses[0].run}: {named}."
        raise Problem(what, "Say which with --facility or --source.", ExitCode.USAGE)
    by_instance = {use.instance: use for use in uses}
    if instance is not None and instance not in by_instance:
        raise Problem(
            f"The run id {uses[0].run} was used {len(uses)} times.", f"There is no use {instance}.", ExitCode.NO_INPUT
        )
    return by_instance[instance or max(by_instance)]


def no_such_run(run: str, others: Iterable[str], hint: str = STORED) -> Problem:
    """Return a `Problem` (66) that suggests the most similar run ids."""
    likeness = {other: _likeness(run, other) for other in others}
    best = max(likeness.values(), default=0)
    near = sorted(
        (other for other in likeness if best - likeness[other] < HARDLY_LESS), key=lambda o: (-likeness[o], o)
    )
    near = near[:NEAR_ONES]
    remedy = f"Did you mean {' or '.join(near)}?" if near else hint
    return Problem(f"There is no run {run}.", remedy, ExitCode.NO_INPUT)


def _likeness(run: str, other: str) -> float:
    return SequenceMatcher(None, run, other, autojunk=False).ratio()
