"""`perflog show RUN`: one run and its stages."""

from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import click
import orjson

from ingest import config
from ingest.cli.runs_rows import whole_row
from ingest.cli.runs_shown import show_run
from ingest.cli.screen import console
from ingest.core.model import Problem
from ingest.core.storedruns import StoredRun, with_stages
from ingest.edge.elasticsearch.runs import MOST, Runs, WantedRuns, runs

NEAR_ONES = 3
HARDLY_LESS = 0.1  # of two run ids that are so nearly alike to what was typed, either may be meant


@click.command("show")
@click.argument("run")
@click.option("--instance", type=click.IntRange(1), help="Which use of the run id, from 1.  [default: the newest]")
@click.option("--facility", "facilities", multiple=True, help="Of this facility, where several have a run of this id.")
@click.option("--source", "sources", multiple=True, help="Read by this source, likewise.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead.")
@click.pass_obj
def command(settings_path: Path | None, /, run: str, instance: int | None, as_json: bool, **chosen: Any) -> None:
    """Show the run RUN: each stage, how long it took and how sure that is, what closed it, its emission lag.

    Exit code 66 when there is no such run.
    """
    settings = config.load(settings_path)
    wanted = WantedRuns(facilities=chosen["facilities"], sources=chosen["sources"], runs=(run,))
    with runs(settings.elasticsearch) as stored:
        uses = stored.newest(wanted, MOST)
        if not uses:
            raise _no_such_run(run, stored, wanted)
        chosen_run = _chosen(uses, instance)
        (found,) = with_stages([chosen_run], stored.stages_of([chosen_run]))
    if as_json:
        click.echo(orjson.dumps(whole_row(found, len(uses))))
    else:
        show_run(found, len(uses), console())


def _chosen(uses: list[StoredRun], instance: int | None) -> StoredRun:
    """The newest use of the id, or the one that was named; `Problem` (64, 66) when that is not one run."""
    whose = sorted({(use.facility, use.source) for use in uses})
    if len(whose) > 1:
        named = ", ".join(f"{facility} ({source})" for facility, source in whose)
        what = f"Several have a run {uses[0].run}: {named}."
        raise Problem(what, "Say which with --facility or --source.", 64)
    found = {use.instance: use for use in uses}
    if instance is not None and instance not in found:
        raise Problem(f"The run id {uses[0].run} was used {len(uses)} times.", f"There is no use {instance}.", 66)
    return found[instance or max(found)]


def _no_such_run(run: str, stored: Runs, wanted: WantedRuns) -> Problem:
    """With the run ids that look most like it."""
    likeness = {other: _likeness(run, other) for other in stored.near(run, wanted)}
    best = max(likeness.values(), default=0)
    near = sorted(
        (other for other in likeness if best - likeness[other] < HARDLY_LESS), key=lambda o: (-likeness[o], o)
    )
    near = near[:NEAR_ONES]
    remedy = f"Did you mean {' or '.join(near)}?" if near else "`perflog runs` lists those there are."
    return Problem(f"There is no run {run}.", remedy, 66)


def _likeness(run: str, other: str) -> float:
    return SequenceMatcher(None, run, other, autojunk=False).ratio()
