"""Text and JSON output of `perflog compare`."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table
from ingest.cli.format import NONE, SIGN, format_bounded, format_minute
from ingest.cli.runs.runs_json import run_to_json
from ingest.core.analysis.compare import BOUNDS, SPAN, ComparedStage, Comparison, Difference, MeasuredRun
from ingest.core.runs.phases import STAGE
from ingest.core.runs.stored import StoredRun
from ingest.telemetry import make_visible

_WORDS = {STAGE: "stages", SPAN: "first to last start"}
LONG_S, LONG_PERCENT = 60, 25  # differences above both, in either direction, are coloured
_SIGNS = {**SIGN, BOUNDS: "~"}
_MEANS = {
    "exact": "=  exact: ±1 s of a stage, ±2 s of a difference",
    "upper": "≤  at most: an upper bound",
    "lower": "≥  at least: a lower bound",
    BOUNDS: "~  two bounds of one side differ by so much; what was really taken, by anything",
}


def comparison_to_json(comparison: Comparison) -> dict[str, Any]:
    """Return both runs, and each pair with its difference; a value that one run lacks is null."""
    return {
        "first": run_to_json(comparison.first),
        "second": run_to_json(comparison.second),
        "waits": [_pair_to_json(pair) for pair in comparison.waits],
        "stages": [_pair_to_json(pair) for pair in comparison.stages],
    }


def _pair_to_json(pair: ComparedStage) -> dict[str, Any]:
    difference = pair.difference
    return {
        "name": pair.name,
        **({"repeat": pair.repeat} if pair.repeat else {}),
        "first_s": pair.first and pair.first.seconds,
        "first_kind": pair.first and pair.first.kind,
        "second_s": pair.second and pair.second.seconds,
        "second_kind": pair.second and pair.second.kind,
        "in": "both" if pair.first and pair.second else "first" if pair.first else "second",
        "difference_s": difference and difference.seconds,
        "difference_pct": difference and difference.percent,
        "difference_kind": difference and difference.kind,
    }


def show_comparison(comparison: Comparison, console: Console) -> None:
    """Print the two runs, their waits and totals, their stages, and a legend of the signs."""
    for label, run in (("first ", comparison.first), ("second", comparison.second)):
        console.print(Text.assemble((f"{label}  {make_visible(run.named)}", "bold"), f"  {_describe(run)}"))
    console.print()
    console.print(_build_table(comparison))
    console.print()
    for words in _explain_signs([*comparison.waits, *comparison.stages]):
        console.print(words)


def _describe(run: StoredRun) -> str:
    missing = f"; {' and '.join(run.not_seen)} not seen" if run.not_seen else ""
    return f"of {make_visible(run.facility)}, {format_minute(run.start_ms)} UTC, {run.state}{missing}"


def _build_table(comparison: Comparison) -> Table:
    table = plain_table()
    table.add_column("", overflow="fold")
    for head in ("first s", "second s", "Δ s", "Δ %"):
        table.add_column(head, justify="right", no_wrap=True)
    for pair in comparison.waits:
        table.add_row(*_make_cells(pair))
    table.add_row("", "", "", "", "")
    for pair in comparison.stages:
        table.add_row(*_make_cells(pair))
    return table


def _make_cells(pair: ComparedStage) -> Iterator[Text]:
    difference = pair.difference
    name = make_visible(pair.name) if pair.repeat else _WORDS.get(pair.name, pair.name)
    yield Text(f"{name} ({pair.repeat})" if pair.repeat > 1 else name)
    absent = "not there" if pair.repeat else NONE
    yield _format_side(pair.first, absent)
    yield _format_side(pair.second, absent)
    style = _choose_style(difference)
    yield Text(_format_difference(difference, difference and difference.seconds), style=style)
    yield Text(_format_difference(difference, difference and difference.percent), style=style)


def _format_difference(difference: Difference | None, value: float | None) -> str:
    """Format the seconds or the percent of a difference, with the sign of its kind: a bound of one bounds the other."""
    return NONE if difference is None or value is None else f"{_SIGNS[difference.kind]} {value:+,.0f}"


def _format_side(side: MeasuredRun | None, absent: str) -> Text:
    return Text(absent, style="yellow") if side is None and absent != NONE else Text(_format_measured(side))


def _format_measured(side: MeasuredRun | None) -> str:
    return NONE if side is None else format_bounded(side.kind, side.seconds)


def _choose_style(difference: Difference | None) -> str:
    """Return the colour of a difference: red for much longer, green for much shorter."""
    if (
        difference is None
        or difference.percent is None
        or abs(difference.seconds) <= LONG_S
        or abs(difference.percent) <= LONG_PERCENT
    ):
        return ""
    return "red" if difference.seconds > 0 else "green"


def _explain_signs(pairs: Iterable[ComparedStage]) -> Iterator[str]:
    kinds: set[str] = set()
    for pair in pairs:
        difference = pair.difference
        kinds |= {side.kind for side in (pair.first, pair.second) if side} | (
            {difference.kind} if difference else set()
        )
    yield "second minus first; % of the first"
    yield from (words for kind, words in _MEANS.items() if kind in kinds)
    yield f"{NONE}  not seen, never 0"
