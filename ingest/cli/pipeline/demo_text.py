"""Text output of the demo: a run beside the network, in tables; the numbers come from the core."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import echo, plain_table
from ingest.cli.format import NONE, format_bounded, format_clock, format_day, format_seconds
from ingest.core.analysis.network_window import Direction, NetworkWindow, TestResult, network_window
from ingest.core.ids import index_pattern
from ingest.core.runs.phases import DISPATCH, QUEUE
from ingest.core.runs.stored import StoredRun
from ingest.edge.local.stack import Running

_OUTCOMES = ("records", "stored", "duplicate", "corrected", "rejected", "ignored")
_HEADS = ("records", "stored", "dupli-\ncate", "cor-\nrected", "re-\njected", "ig-\nnored", "com-\nmitted")


def show(
    runs: Sequence[StoredRun], tests: Sequence[TestResult], directions: Sequence[Direction], console: Console
) -> None:
    """Print every run: its stages with the network of the same minutes, then the network of the whole run."""
    for run in runs:
        console.print()
        console.print(_build_stage_table(run, tests, directions))
        console.print(_build_network_table(run, tests, directions))
    console.print()
    console.print("s ≤ to the run's next start: an upper bound of the stage, its own wait included")
    console.print("s ≥ the last stage seen: still open, it took its emission lag at least")
    console.print("–   not measured, or not known; never 0")
    if any(test.synthetic for test in tests):
        console.print(
            "The network results are synthetic (perf.synthetic: true): made up for this demo.", style="yellow"
        )


def _build_stage_table(run: StoredRun, tests: Sequence[TestResult], directions: Sequence[Direction]) -> Table:
    waits = f"queue wait {format_seconds(run.parts.get(QUEUE))}, dispatch {format_seconds(run.parts.get(DISPATCH))}"
    span = f"{len(run.stages)} stages, first to last start {format_seconds(run.span_s)}"
    head = f"Run {run.run} on {format_day(run.start_ms)}\n"
    table = plain_table(Text.assemble(head, (f"{span}; {waits}", "not bold")))
    table.add_column("start\nUTC", no_wrap=True)
    table.add_column("stage", no_wrap=True)
    table.add_column("s", justify="right", no_wrap=True)
    for source, destination in directions:
        table.add_column(f"{source}→{destination}\nloss%  p95ms", justify="right", no_wrap=True)
    for stage in run.stages:
        cells = [
            _format_loss_and_p95(network_window(tests, direction, stage.start_ms, stage.until_ms))
            for direction in directions
        ]
        table.add_row(format_clock(stage.start_ms), stage.name, format_bounded(stage.kind, stage.duration_s), *cells)
    return table


def _format_loss_and_p95(window: NetworkWindow) -> str:
    loss = _format_percent(window.loss_ratio).removesuffix(" %")
    p95 = NONE if window.delay_p95_ms is None else f"{window.delay_p95_ms:.2f}"
    return f"{loss}  {p95:>5}"


def _build_network_table(run: StoredRun, tests: Sequence[TestResult], directions: Sequence[Direction]) -> Table:
    span = f"{format_clock(run.start_ms)} to {format_clock(run.last_ms)}"
    title = f"The network from {span}"
    table = plain_table(title)
    for column in ("direction", "throughput", "loss", "delay median", "p95", "failed"):
        table.add_column(column, justify="left" if column == "direction" else "right")
    for direction in directions:
        window = network_window(tests, direction, run.start_ms, run.last_ms)
        failed = f"{window.failed} of {window.tests}"
        table.add_row("→".join(direction), _format_throughput(window), *_format_loss_and_delays(window), failed)
    return table


def _format_loss_and_delays(window: NetworkWindow) -> tuple[str, str, str]:
    return (
        _format_percent(window.loss_ratio),
        _format_milliseconds(window.delay_median_ms),
        _format_milliseconds(window.delay_p95_ms),
    )


def show_ledger(ledger: Mapping[str, Mapping[str, int]], committed: Mapping[str, int], console: Console) -> bool:
    """Print the ledger beside the broker's committed offsets; returns whether the two agree."""
    table = plain_table("The ledger")
    table.add_column("topic", no_wrap=True)
    for column in _HEADS:
        table.add_column(column, justify="right", no_wrap=True)
    agrees = True
    for topic, sums in ledger.items():
        offsets = committed.get(topic, 0)
        agrees = agrees and offsets == sums["records"]
        table.add_row(topic, *(f"{sums[name]:,}" for name in _OUTCOMES), f"{offsets:,}")
    console.print()
    console.print(table)
    if agrees:
        console.print("Every record is accounted for: as many as Kafka says are committed.")
    else:
        console.print("The ledger and the committed offsets differ; this is a defect of perflog.", style="bold red")
    return agrees


def show_next(running: Running, keep: bool, runs: Sequence[StoredRun], console: Console) -> None:
    """Print what to look at next, if the servers stay up."""
    console.print()
    if not keep:
        console.print("`perflog demo --keep` leaves the servers up, to look further.")
        return
    run = runs[0].run if runs else "RUN"
    marks = index_pattern("marks")
    console.print("The servers stay up. To look further:", style="bold")
    for line in (
        f"curl -s '{running.elasticsearch}/{marks}/_search?q=perf.run.id:%22{run}%22&size=3&pretty'",
        "perflog ship grammars/als_perf/samples.log --intake als-lines --backfill && perflog run --drain",
        "perflog dashboards import --kibana http://127.0.0.1:5601 --from 2016-02-06 --to 2016-02-07   # your Kibana",
        "perflog stack status        perflog stack down",
    ):
        echo(f"  {line}")


def _format_percent(ratio: float | None) -> str:
    if ratio is None:
        return NONE
    return "<0.01 %" if 0 < ratio < 0.00005 else f"{100 * ratio:.2f} %"


def _format_milliseconds(ms: float | None) -> str:
    return NONE if ms is None else f"{ms:.2f} ms"


def _format_distance(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _format_throughput(window: NetworkWindow) -> str:
    if window.throughput_bps is not None:
        return f"{window.throughput_bps / 1e9:.2f} Gb/s"
    if window.nearest_bps is None:
        return NONE
    return f"{NONE} ({window.nearest_bps / 1e9:.2f} Gb/s {_format_distance(window.nearest_s or 0)} away)"
