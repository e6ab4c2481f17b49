"""Draws a run as a waterfall on the terminal, with the layout of analysis/waterfall.py, in glyphs and colours.

Each kind has its own glyph, so that it is readable without colour. The glyphs are ASCII if the output's encoding lacks
others, as all signs of all commands.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from ingest.cli.console import holds_all_signs
from ingest.cli.format import format_clock, format_day, format_seconds, format_time
from ingest.core.analysis.time_axis import Axis
from ingest.core.analysis.waterfall import FOLD, WAIT, Waterfall, WaterfallRow, waterfall
from ingest.core.runs.phases import DISPATCH, LEAD, QUEUE
from ingest.core.runs.stages import EXACT, LOWER, NONE, UPPER
from ingest.core.runs.stored import StoredRun
from ingest.telemetry import make_visible

MOST_ROWS = 40
CLOCK_COLUMNS = 100  # from this width on there is room for the start of each stage
LEAST_BAR = 24
COLUMNS_A_TICK = 9
LONGEST_BAR = 160
LEAST_LABEL = 12
_DAY_MS = 86_400_000


class Glyphs(NamedTuple):
    """The characters of a waterfall: for bars by row type, for the axis, for signs and for cut text."""

    bars: Mapping[str, str]
    rule: str
    tick: str
    broken: str
    on: str
    arrow: str
    cut: str
    signs: Mapping[str, str]
    nothing: str


_WAITS = (QUEUE, DISPATCH, LEAD, WAIT)
SLOW = "slow"
DRAWN = Glyphs(
    {**dict.fromkeys(_WAITS, "░"), EXACT: "█", UPPER: "▒", LOWER: "▓", NONE: "?", FOLD: "┄"},
    "─", "┬", "╱", "╌", "▶", "…", {EXACT: "=", UPPER: "≤", LOWER: "≥", NONE: ""}, "–",
)  # fmt: skip
PLAIN = Glyphs(
    {**dict.fromkeys(_WAITS, "."), EXACT: "#", UPPER: ":", LOWER: "+", NONE: "?", FOLD: "~"},
    "-", "|", "/", "-", ">", "..", {EXACT: "=", UPPER: "<=", LOWER: ">=", NONE: ""}, "-",
)  # fmt: skip
STYLES = {
    **dict.fromkeys(_WAITS, "bright_blue"),
    EXACT: "green",
    UPPER: "cyan",
    LOWER: "magenta",
    NONE: "red",
    FOLD: "dim",
    SLOW: "bold red",
}
_MEANS = {
    EXACT: "from START to END",
    UPPER: "upper bound: to what the run did next",
    LOWER: "lower bound, still open: at least to the printing of its line",
    NONE: "only its start is known",
    FOLD: "folded stages, with the seconds of the longest",
}


class Layout(NamedTuple):
    """The widths of the columns: the start (0: none), the name, the seconds, the lane (0: none), the bars."""

    start: int
    label: int
    took: int
    lane: int
    bar: int

    @property
    def indent(self) -> int:
        """The column where bars begin."""
        return sum(width + 2 for width in (self.start, self.label, self.took, self.lane) if width)


def choose_glyphs() -> Glyphs:
    """Choose the glyphs: ASCII if the output's encoding lacks the others."""
    return DRAWN if holds_all_signs() else PLAIN


def show_waterfall(run: StoredRun, console: Console, unfold: bool = False, marked: Collection[str] = ()) -> None:
    """Draw a run with its stages; if there are many, the longest, unless `unfold`. `marked`: ids of slow stages."""
    glyphs, most_rows = choose_glyphs(), None if unfold else MOST_ROWS
    draft = waterfall(run, LEAST_BAR, most_rows, marked)
    layout = _lay_out(draft.rows, run, glyphs, marked, console.width)
    chart = waterfall(run, layout.bar, most_rows, marked)
    for text in _draw_axis(chart.axis, layout, glyphs):
        console.print(Text(text.rstrip(), style="dim"), soft_wrap=True)
    for row in chart.rows:
        line = _draw_line(row, chart.axis, layout, glyphs, marked)
        line.rstrip()
        console.print(line, soft_wrap=True)
    console.print()
    for words in _explain_glyphs(chart, glyphs, marked):
        console.print(words)


def _lay_out(
    rows: Sequence[WaterfallRow], run: StoredRun, glyphs: Glyphs, marked: Collection[str], width: int
) -> Layout:
    took = max((len(_format_duration(row, glyphs, marked)) for row in rows), default=0)
    start = 8 if width >= CLOCK_COLUMNS else 0
    lane = 4 if run.parallel else 0
    longest = max((len(_name_row(row, glyphs)) for row in rows), default=0)
    before = sum(size + 2 for size in (start, took, lane) if size) + 3
    label = max(min(longest, (width - before) // 2), LEAST_LABEL)
    bar = max(LEAST_BAR, min(width - before - label, LONGEST_BAR))
    return Layout(start, label, took, lane, bar)


def _draw_axis(axis: Axis, layout: Layout, glyphs: Glyphs) -> Iterator[str]:
    """Yield the line of times, and the rule with its ticks and breaks."""
    step_ms = axis.step_ms(COLUMNS_A_TICK)
    ticks = axis.ticks(step_ms)
    labels, rule = [" "] * axis.columns, [glyphs.rule] * axis.columns
    for segment in axis.breaks:
        rule[segment.column : segment.end_column] = _draw_break(
            segment.end_column - segment.column, glyphs.rule, glyphs
        )
    free, labelled_day = 0, format_day(ticks[0][1] if ticks else axis.segments[0].start_ms)
    head = f"{labelled_day} UTC"
    for column, ms in ticks:
        text = _format_tick(ms, step_ms, labelled_day)
        rule[column] = glyphs.tick
        if column >= free and column + len(text) <= axis.columns:
            labels[column : column + len(text)] = text
            free, labelled_day = column + len(text) + 1, format_day(ms)
    heads = f"{'s':>{layout.took}}  " + (f"{'lane':>{layout.lane}}  " if layout.lane else "")
    room = layout.indent - len(heads)
    yield f"{head[: room - 1]:{room}}{heads}" + "".join(labels)
    yield " " * layout.indent + "".join(rule)


def _draw_break(columns: int, filling: str, glyphs: Glyphs) -> list[str]:
    """Draw a broken segment: two strokes in its middle."""
    cells = [filling] * columns
    middle = max((columns - 2) // 2, 0)
    cells[middle : middle + 2] = [glyphs.broken] * len(cells[middle : middle + 2])
    return cells


def _draw_line(row: WaterfallRow, axis: Axis, layout: Layout, glyphs: Glyphs, marked: Collection[str]) -> Text:
    style = STYLES[row.what]
    line = Text()
    if layout.start:
        line.append(f"{format_clock(row.start_ms)}  ")
    label = _shorten(_name_row(row, glyphs), layout.label, glyphs.cut)
    line.append(f"{label:{layout.label}}  ", style="dim" if row.what == FOLD else "")
    slow = any(stage.id in marked for stage in row.stages)
    line.append(f"{_format_duration(row, glyphs, marked):>{layout.took}}  ", style=STYLES[SLOW] if slow else "")
    if layout.lane:
        lane = str(row.stages[0].lane) if len(row.stages) == 1 else ""
        line.append(f"{lane:>{layout.lane}}  ")
    return line.append_text(_draw_bar(row, axis, style, glyphs))


def _draw_bar(row: WaterfallRow, axis: Axis, style: str, glyphs: Glyphs) -> Text:
    cells = [" "] * row.start + [glyphs.bars[row.what]] * (row.end - row.start)
    for segment in axis.breaks:
        inside = range(max(segment.column, row.start), min(segment.end_column, row.end))
        if len(inside) == segment.end_column - segment.column:
            cells[inside.start : inside.stop] = _draw_break(len(inside), glyphs.bars[row.what], glyphs)
    if row.open:
        cells += [glyphs.on] * (axis.columns - len(cells)) + [glyphs.arrow]
    return Text("".join(cells), style=style)


def _name_row(row: WaterfallRow, glyphs: Glyphs) -> str:
    if row.what == FOLD:
        return f"{glyphs.cut} {len(row.stages):,} stages"
    if not row.stages:
        return "queue and more" if row.what == WAIT else row.what
    (stage,) = row.stages
    return make_visible(stage.name) if stage.attempt == 1 else f"{make_visible(stage.name)} ({stage.attempt})"


def _format_duration(row: WaterfallRow, glyphs: Glyphs, marked: Collection[str]) -> str:
    if row.took_s is None:
        return glyphs.nothing
    slow = "!" if any(stage.id in marked for stage in row.stages) else ""
    return f"{slow}{glyphs.signs[row.kind]} {row.took_s:,.0f}"


def _shorten(text: str, width: int, mark: str) -> str:
    """Shorten text to `width` by cutting its middle, since names differ at their ends."""
    if len(text) <= width:
        return text
    behind = (width - len(mark)) * 2 // 3
    return f"{text[: width - len(mark) - behind]}{mark}{text[len(text) - behind :]}"


def _explain_glyphs(chart: Waterfall, glyphs: Glyphs, marked: Collection[str]) -> Iterator[Text]:
    kinds = {row.what for row in chart.rows}
    for kind, words in _MEANS.items():
        if kind in kinds:
            yield _make_legend_line(
                glyphs.bars[kind] * 2 + (glyphs.arrow if kind == LOWER else ""), words, STYLES[kind]
            )
    if kinds & set(_WAITS):
        yield _make_legend_line(glyphs.bars[QUEUE] * 2, "waiting", STYLES[QUEUE])
    broken_s = [(segment.end_ms - segment.start_ms) / 1000 for segment in chart.axis.breaks]
    if broken_s:
        lengths = ", ".join(format_seconds(length_s) for length_s in broken_s)
        yield _make_legend_line(glyphs.broken * 2, f"axis broken: {lengths} without a stage drawn short", "bold")
    if any(stage.id in marked for row in chart.rows for stage in row.stages):
        yield _make_legend_line("!", "slower than earlier stages like it", STYLES[SLOW])
    if chart.folded:
        yield Text(f"{chart.folded:,} shorter stages are folded; --unfold shows each")
    if chart.elsewhere_s:
        yield Text(f"{format_seconds(chart.elsewhere_s)} of waits lie between stages; their position is not stored")


def _make_legend_line(sign: str, words: str, style: str) -> Text:
    return Text.assemble((f"{sign:3}", style), f"  {words}")


def _format_tick(ms: int, step_ms: int, previous_day: str) -> str:
    """Format a tick; with its day if that differs from the previous tick's."""
    if step_ms >= _DAY_MS:
        return format_time(ms, "%m-%d")
    form = "%H:%M:%S" if step_ms < 60_000 else "%H:%M"
    return format_time(ms, form if format_day(ms) == previous_day else f"%m-%d {form}")
