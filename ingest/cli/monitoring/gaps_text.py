"""Text output of `perflog gaps`: words and tables only."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table, visible
from ingest.cli.format import NONE, plural, second
from ingest.core.timestamps import iso_ms

WIDE_COLUMNS = 150  # from this width on a gap is one line
_HEADS = ("state", "missing B", "from byte", "since (UTC)", "until (UTC)", "found (UTC)", "filled (UTC)")
_RIGHT = frozenset({"missing B", "from byte"})
_STYLES = {"open": "bold red", "filled": "green"}
_SHOWN = {
    "next": "later bytes came",
    "end": "its manifest says so",
    "silence": "its shipper fell silent",
}
Row = Mapping[str, Any]


def show_gaps(found: Sequence[Row], matching: int, files: tuple[int, Sequence[Row]], screen: Console) -> None:
    """Print a table of gaps and their number; `files`: the number of known files, and the files not yet settled."""
    known, unsettled = files
    if found:
        (_wide if screen.width >= WIDE_COLUMNS else _narrow)(found, screen)
        screen.print()
    screen.print(_sum(found, matching, known), soft_wrap=True)
    for row in unsettled:
        screen.print(Text(_unsettled(row), style="yellow"), soft_wrap=True)
    if found:
        screen.print("since, until: when what stands before and behind it happened   – not known")


def _sum(gaps: Sequence[Row], matching: int, known: int) -> str:
    files = plural(known, "file")
    if not known:
        return "No file is known by its bytes yet: `perflog ship`, or a forwarder that sends byte offsets, makes it so."
    if not matching:
        return f"No gap is known of; {files} looked at."
    if matching > len(gaps):
        return f"{len(gaps):,} of {matching:,} gaps, open ones first; --limit shows more. {files} looked at."
    still = sum(row["state"] == "open" for row in gaps)
    return f"{still:,} open, {matching - still:,} filled; {files} looked at."


def _wide(gaps: Sequence[Row], screen: Console) -> None:
    table = _table()
    table.add_column("file", overflow="fold")
    for row in gaps:
        table.add_row(*_cells(row), Text(_file(row)))
    screen.print(table)


def _narrow(gaps: Sequence[Row], screen: Console) -> None:
    """Print each file above its gaps."""
    files: dict[str, list[Row]] = {}
    for row in gaps:
        files.setdefault(_file(row), []).append(row)
    for file, rows in files.items():
        screen.print(Text(file, style="bold"), soft_wrap=True)
        for row in rows:
            state, missing, at, since, until, noticed, filled = (cell.plain for cell in _cells(row))
            times = f"    found {noticed}" + (f", filled {filled}" if row["filled"] else "")
            screen.print(Text(f"  {state}: {missing} bytes from byte {at}", style=_STYLES[state]), soft_wrap=True)
            screen.print(Text(f"    {since} to {until}; {_SHOWN[row['shown_by']]}"), soft_wrap=True)
            screen.print(Text(times), soft_wrap=True)


def _table() -> Table:
    table = plain_table()
    for head in _HEADS:
        table.add_column(head, justify="right" if head in _RIGHT else "left", no_wrap=True)
    return table


def _cells(row: Row) -> tuple[Text, ...]:
    since = _second(row["since"]) or ("start of file" if row["first_byte"] == 0 else NONE)
    until = _second(row["until"]) or (NONE if row["shown_by"] == "next" else "end of file")
    missing = row["missing_bytes"] if row["state"] == "open" else row["size_bytes"]
    numbers = (f"{missing:,}", f"{row['first_byte']:,}", since, until)
    times = (_second(row["noticed"]) or NONE, _second(row["filled"]) or NONE)
    return (Text(row["state"], style=_STYLES[row["state"]]), *(Text(cell) for cell in (*numbers, *times)))


def _file(row: Row) -> str:
    where = f" on {row['host']}" if row["host"] else ""
    return visible(f"{row['file']}{where}")


def _unsettled(row: Row) -> str:
    of = f" of {row['size_bytes']:,}" if row["size_bytes"] is not None else ""
    received = f"{row['received_bytes']:,}{of} bytes of {_file(row)}, the last at {_second(row['last_received'])} UTC"
    if row["scattered"]:
        return f"In too many pieces to tell: {received}. Ship it again to be sure."
    if row["state"] == "begun":
        return f"Not ended yet: {received}."
    return f"Not looked at yet: {received}; the next sweep does."


def _second(text: str | None) -> str:
    """Format a time of a document to the second; nothing if there is none."""
    return second(iso_ms(text, default_offset_s=0)) if text else ""
