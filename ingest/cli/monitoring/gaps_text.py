"""Text output of `perflog gaps`: words and tables only."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table
from ingest.cli.format import NONE, format_count, format_second
from ingest.core.timestamps import iso_ms
from ingest.telemetry import make_visible

WIDE_COLUMNS = 150  # from this width on a gap is one line
_HEADS = ("state", "missing B", "from byte", "since (UTC)", "until (UTC)", "found (UTC)", "filled (UTC)")
_RIGHT = frozenset({"missing B", "from byte"})
_STYLES = {"open": "bold red", "filled": "green"}
_SHOWN_BY = {
    "next": "later bytes arrived",
    "end": "its manifest says so",
    "silence": "its shipper stopped sending",
}
Json = Mapping[str, Any]


def show_gaps(gaps: Sequence[Json], matching: int, files: tuple[int, Sequence[Json]], console: Console) -> None:
    """Print a table of gaps and their number; `files`: the number of known files, and the files not yet settled."""
    known_files, unsettled = files
    if gaps:
        (_print_wide if console.width >= WIDE_COLUMNS else _print_narrow)(gaps, console)
        console.print()
    console.print(_summarize(gaps, matching, known_files), soft_wrap=True)
    for file in unsettled:
        console.print(Text(_describe_unsettled(file), style="yellow"), soft_wrap=True)
    if gaps:
        console.print("since, until: when what stands before and behind it happened   – not known")


def _summarize(gaps: Sequence[Json], matching: int, known_files: int) -> str:
    files = format_count(known_files, "file")
    if not known_files:
        return "No file is known by its bytes yet: `perflog ship`, or a forwarder that sends byte offsets, makes it so."
    if not matching:
        return f"No gap is known of; {files} looked at."
    if matching > len(gaps):
        return f"{len(gaps):,} of {matching:,} gaps, open ones first; --limit shows more. {files} looked at."
    open_gaps = sum(gap["state"] == "open" for gap in gaps)
    return f"{open_gaps:,} open, {matching - open_gaps:,} filled; {files} looked at."


def _print_wide(gaps: Sequence[Json], console: Console) -> None:
    table = _build_table()
    table.add_column("file", overflow="fold")
    for gap in gaps:
        table.add_row(*_make_cells(gap), Text(_describe_file(gap)))
    console.print(table)


def _print_narrow(gaps: Sequence[Json], console: Console) -> None:
    """Print each file above its gaps."""
    files: dict[str, list[Json]] = {}
    for gap in gaps:
        files.setdefault(_describe_file(gap), []).append(gap)
    for file, gaps_of_file in files.items():
        console.print(Text(file, style="bold"), soft_wrap=True)
        for gap in gaps_of_file:
            state, missing, at, since, until, noticed, filled = (cell.plain for cell in _make_cells(gap))
            times = f"    found {noticed}" + (f", filled {filled}" if gap["filled"] else "")
            console.print(Text(f"  {state}: {missing} bytes from byte {at}", style=_STYLES[state]), soft_wrap=True)
            console.print(Text(f"    {since} to {until}; {_SHOWN_BY[gap['shown_by']]}"), soft_wrap=True)
            console.print(Text(times), soft_wrap=True)


def _build_table() -> Table:
    table = plain_table()
    for head in _HEADS:
        table.add_column(head, justify="right" if head in _RIGHT else "left", no_wrap=True)
    return table


def _make_cells(gap: Json) -> tuple[Text, ...]:
    since = _format_second(gap["since"]) or ("start of file" if gap["first_byte"] == 0 else NONE)
    until = _format_second(gap["until"]) or (NONE if gap["shown_by"] == "next" else "end of file")
    missing = gap["missing_bytes"] if gap["state"] == "open" else gap["size_bytes"]
    numbers = (f"{missing:,}", f"{gap['first_byte']:,}", since, until)
    times = (_format_second(gap["noticed"]) or NONE, _format_second(gap["filled"]) or NONE)
    return (Text(gap["state"], style=_STYLES[gap["state"]]), *(Text(cell) for cell in (*numbers, *times)))


def _describe_file(owner: Json) -> str:
    on_host = f" on {owner['host']}" if owner["host"] else ""
    return make_visible(f"{owner['file']}{on_host}")


def _describe_unsettled(file: Json) -> str:
    total = f" of {file['size_bytes']:,}" if file["size_bytes"] is not None else ""
    last = _format_second(file["last_received"])
    received = f"{file['received_bytes']:,}{total} bytes of {_describe_file(file)}, the last at {last} UTC"
    if file["scattered"]:
        return f"Received in too many pieces to say what is missing: {received}. To be sure, ship it again."
    if file["state"] == "begun":
        return f"Not ended yet: {received}."
    return f"Not checked yet: {received}; the next sweep checks it."


def _format_second(text: str | None) -> str:
    """Format a time of a document to the second; nothing if there is none."""
    return format_second(iso_ms(text, default_offset_s=0)) if text else ""
