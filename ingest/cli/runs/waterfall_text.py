"""Draws a run as a waterfall on the terminal, with the layout of analysis/waterfall.py, in glyphs and colours.

Each kind has its own glyph, so that it is readable without colour. In a pipe, with NO_COLOR and if the output is not
UTF-8, the glyphs are ASCII.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from ingest.cli.console import visible
from ingest.cli.format import clock, day, seconds, utc
from ingest.core.analysis.time_axis import Axis
from ingest.core.analysis.waterfall import FOLD, WAIT, Waterfall, WaterfallRow, waterfall
from ingest.core.runs.phases import DISPATCH, LEAD, QUEUE
from ingest.core.runs.stages import EXACT, LOWER, NONE, UPPER
from ingest.core.runs.stored import StoredRun

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


def glyphs_of(screen: Console) -> Glyphs:
    """Choose the glyphs: ASCII in a pipe, with NO_COLOR, or if the output cannot encode the others."""
    holds_all = screen.is_terminal and not screen.no_color and screen.encoding.lower().startswith("utf")
    return DRAWN if holds_all else PLAIN


def show_waterfall(run: StoredRun, screen: Console, unfold: bool = False, marked: Collection[str] = ()) -> None:
    """Draw a run with its stages; if there are many, the longest, unless `unfold`. `marked`: ids of slow stages."""
    glyphs, most_rows = glyphs_of(screen), None if unfold else MOST_ROWS
    first = waterfall(run, LEAST_BAR, most_rows, marked)
    layout = _layout(first.rows, run, (glyphs, marked), screen.width)
    found = waterfall(run, layout.bar, most_rows, marked)
    for text in _axis(found.axis, layout, glyphs):
        screen.print(Text(text.rstrip(), style="dim"), soft_wrap=True)
    for row in found.rows:
        line = _line(row, found.axis, layout, glyphs, marked)
        line.rstrip()
        screen.print(line, soft_wrap=True)
    screen.print()
    for words in _legend(found, glyphs, marked):
        screen.print(words)


def _layout(rows: Sequence[WaterfallRow], run: StoredRun, look: tuple[Glyphs, Collection[str]], width: int) -> Layout:
    glyphs = look[0]
    took = max((len(_took(row, *look)) for row in rows), default=0)
    start = 8 if width >= CLOCK_COLUMNS else 0
    lane = 4 if run.parallel else 0
    longest = max((len(_label(row, glyphs)) for row in rows), default=0)
    before = sum(size + 2 for size in (start, took, lane) if size) + 3
    label = max(min(longest, (width - before) // 2), LEAST_LABEL)
    bar = max(LEAST_BAR, min(width - before - label, LONGEST_BAR))
    return Layout(start, label, took, lane, bar)


def _axis(on: Axis, layout: Layout, glyphs: Glyphs) -> Iterator[str]:
    """Yield the line of times, and the rule with its ticks and breaks."""
    step_ms = on.step_ms(COLUMNS_A_TICK)
    ticks = on.ticks(step_ms)
    labels, rule = [" "] * on.columns, [glyphs.rule] * on.columns
    for segment in on.breaks:
        rule[segment.column : segment.end_column] = _broken(segment.end_column - segment.column, glyphs.rule, glyphs)
    free, labelled_day = 0, day(ticks[0][1] if ticks else on.segments[0].start_ms)
    head = f"{labelled_day} UTC"
    for column, ms in ticks:
        text = _tick_label(ms, step_ms, labelled_day)
        rule[column] = glyphs.tick
        if column >= free and column + len(text) <= on.columns:
            labels[column : column + len(text)] = text
            free, labelled_day = column + len(text) + 1, day(ms)
    heads = f"{'s':>{layout.took}}  " + (f"{'lane':>{layout.lane}}  " if layout.lane else "")
    room = layout.indent - len(heads)
    yield f"{head[: room - 1]:{room}}{heads}" + "".join(labels)
    yield " " * layout.indent + "".join(rule)


def _broken(columns: int, filling: str, glyphs: Glyphs) -> list[str]:
    """Draw a broken segment: two strokes in its middle."""
    cells = [filling] * columns
    middle = max((columns - 2) // 2, 0)
    cells[middle : middle + 2] = [glyphs.broken] * len(cells[middle : middle + 2])
    return cells


def _line(row: WaterfallRow, on: Axis, layout: Layout, glyphs: Glyphs, marked: Collection[str]) -> Text:
    style = STYLES[row.what]
    line = Text()
    if layout.start:
        line.append(f"{clock(row.start_ms)}  ")
    label = _cut(_label(row, glyphs), layout.label, glyphs.cut)
    line.append(f"{label:{layout.label}}  ", style="dim" if row.what == FOLD else "")
    slow = any(stage.id in marked for stage in row.stages)
    line.append(f"{_took(row, glyphs, marked):>{layout.took}}  ", style=STYLES[SLOW] if slow else "")
    if layout.lane:
        lane = str(row.stages[0].lane) if len(row.stages) == 1 else ""
        line.append(f"{lane:>{layout.lane}}  ")
    return line.append_text(_bar(row, on, style, glyphs))


def _bar(row: WaterfallRow, on: Axis, style: str, glyphs: Glyphs) -> Text:
    cells = [" "] * row.start + [glyphs.bars[row.what]] * (row.end - row.start)
    for segment in on.breaks:
        inside = range(max(segment.column, row.start), min(segment.end_column, row.end))
        if len(inside) == segment.end_column - segment.column:
            cells[inside.start : inside.stop] = _broken(len(inside), glyphs.bars[row.what], glyphs)
    if row.open:
        cells += [glyphs.on] * (on.columns - len(cells)) + [glyphs.arrow]
    return Text("".join(cells), style=style)


def _label(row: WaterfallRow, glyphs: Glyphs) -> str:
    if row.what == FOLD:
        return f"{glyphs.cut} {len(row.stages):,} stages"
    if not row.stages:
        return "queue and more" if row.what == WAIT else row.what
    (stage,) = row.stages
    return visible(stage.name) if stage.attempt == 1 else f"{visible(stage.name)} ({stage.attempt})"


def _took(row: WaterfallRow, glyphs: Glyphs, marked: Collection[str]) -> str:
    if row.took_s is None:
        return glyphs.nothing
    slow = "!" if any(stage.id in marked for stage in row.stages) else ""
    return f"{slow}{glyphs.signs[row.kind]} {row.took_s:,.0f}"


def _cut(text: str, width: int, mark: str) -> str:
    """Shorten text to `width` by cutting its middle, since names differ at their ends."""
    if len(text) <= width:
        return text
    behind = (width - len(mark)) * 2 // 3
    return f"{text[: width - len(mark) - behind]}{mark}{text[len(text) - behind :]}"


def _legend(found: Waterfall, glyphs: Glyphs, marked: Collection[str]) -> Iterator[Text]:
    there = {row.what for row in found.rows}
    for what, words in _MEANS.items():
        if what in there:
            yield _explained(glyphs.bars[what] * 2 + (glyphs.arrow if what == LOWER else ""), words, STYLES[what])
    if there & set(_WAITS):
        yield _explained(glyphs.bars[QUEUE] * 2, "waiting", STYLES[QUEUE])
    broken_s = [(segment.end_ms - segment.start_ms) / 1000 for segment in found.axis.breaks]
    if broken_s:
        lengths = ", ".join(seconds(length_s) for length_s in broken_s)
        yield _explained(glyphs.broken * 2, f"axis broken: {lengths} without a stage drawn short", "bold")
    if any(stage.id in marked for row in found.rows for stage in row.stages):
        yield _explained("!", "slower than those like it before", STYLES[SLOW])
    if found.folded:
        yield Text(f"{found.folded:,} shorter stages are folded; --unfold shows each")
    if found.elsewhere_s:
        yield Text(f"{seconds(found.elsewhere_s)} of waits lie between stages; their position is not stored")


def _explained(sign: str, words: str, style: str) -> Text:
    return Text.assemble((f"{sign:3}", style), f"  {words}")


def _tick_label(ms: int, step_ms: int, previous_day: str) -> str:
    """Format a tick; with its day if that differs from the previous tick's."""
    if step_ms >= _DAY_MS:
        return utc(ms, "%m-%d")
    form = "%H:%M:%S" if step_ms < 60_000 else "%H:%M"
    return utc(ms, form if day(ms) == previous_day else f"%m-%d {form}")
