"""`perflog runs`: lists the stored runs, the newest first."""

from dataclasses import dataclass
from pathlib import Path

import click

from ingest.cli.console import echo_json, open_console
from ingest.cli.options import parse_period, with_options
from ingest.cli.runs.runs_csv import write_csv
from ingest.cli.runs.runs_json import run_to_json
from ingest.cli.runs.runs_text import show_runs
from ingest.config.load import load_settings
from ingest.core.mark import QUEUED
from ingest.core.runs.run import ABANDONED, CLOSED, QUIET, RUNNING
from ingest.core.runs.stored import with_stages
from ingest.edge.clock import now_ms
from ingest.edge.elasticsearch.query import MOST
from ingest.edge.elasticsearch.runs import RunQuery, open_runs

STATES = (QUEUED, RUNNING, QUIET, CLOSED, ABANDONED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsOptions:
    """Which stored runs `perflog runs` lists, how many at most, and in which form."""

    facilities: tuple[str, ...]
    workflows: tuple[str, ...]
    sources: tuple[str, ...]
    states: tuple[str, ...]
    ids: tuple[str, ...]
    since: str | None
    until: str | None
    limit: int
    as_json: bool
    as_csv: bool


@click.command("runs")
@click.option("--facility", "facilities", multiple=True, help="Only runs of this facility; repeatable.")
@click.option("--workflow", "workflows", multiple=True, help="Only runs of this workflow; repeatable.")
@click.option("--source", "sources", multiple=True, help="Only runs that this source read; repeatable.")
@click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES), help="Only runs in this state; repeatable."
)
@click.option("--run", "ids", multiple=True, help="Only runs with this id (each use of it); repeatable.")
@click.option("--since", help="Only runs that began since then: 2h, 7d, or ISO 8601.")
@click.option("--until", help="Only runs that began before then, in the same form.")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="At most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@click.option(
    "--csv", "as_csv", is_flag=True, help="Print CSV instead: key figures, as `perflog analyze --csv`, in UTC."
)
@with_options(RunsOptions)
def command(settings_path: Path | None, options: RunsOptions) -> None:
    """List runs, those that began last first: state, queue, dispatch, span, total, the longest stage.

    A run is one use of a run id. A value that was not seen is –, never 0; ≥ is a lower bound, ≤ an upper bound.
    """
    settings = load_settings(settings_path)
    query = _make_query(options)
    with open_runs(settings.elasticsearch) as run_index:
        runs, matching = run_index.newest(query, options.limit), run_index.count(query)
        if options.as_csv:
            runs = with_stages(runs, run_index.stages_of(runs))
        stored_count = matching or run_index.count(RunQuery())
    if options.as_csv:
        write_csv(runs)
    elif options.as_json:
        echo_json({"runs": [run_to_json(run) for run in runs], "matching": matching})
    else:
        show_runs(runs, matching, stored_count, open_console())


def _make_query(options: RunsOptions) -> RunQuery:
    since_ms, until_ms = parse_period(options.since, options.until, now_ms())
    return RunQuery(
        facilities=options.facilities,
        workflows=options.workflows,
        sources=options.sources,
        states=options.states,
        runs=options.ids,
        since_ms=since_ms,
        until_ms=until_ms,
    )
