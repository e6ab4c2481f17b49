"""Text output of `perflog transfers`: words and tables only."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from ingest.cli.console import plain_table
from ingest.cli.format import NONE, format_count, format_second
from ingest.core.timestamps import iso_ms
from ingest.telemetry import make_visible

_HEADS = ("began (UTC)", "from → to", "moved", "seconds", "rate", "outcome")
_RIGHT = frozenset({"moved", "seconds", "rate"})
_STYLES = {"success": "green", "failure": "bold red", "unknown": "yellow"}
_BYTES = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_RATES = ((1e12, "Tb/s"), (1e9, "Gb/s"), (1e6, "Mb/s"), (1e3, "kb/s"))
_WAITS = {
    "request_wait_s": "waited for its service",
    "queue_wait_s": "queued",
    "prepare_s": "prepared",
    "checksum_s": "checksums",
    "finalize_s": "finished up",
}
Json = Mapping[str, Any]


def format_bytes(size_bytes: float | None) -> str:
    """Format bytes in decimal units, with three digits."""
    return NONE if size_bytes is None else _format_scaled(size_bytes, _BYTES, "B")


def format_rate(rate_bps: float | None) -> str:
    """Format a rate in decimal units of bit/s, with three digits."""
    return NONE if rate_bps is None else _format_scaled(rate_bps, _RATES, "b/s")


def _format_scaled(value: float, units: Sequence[tuple[float, str]], smallest: str) -> str:
    for factor, unit in units:
        if value >= factor * 0.9995:
            scaled = value / factor
            return f"{scaled:,.{0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2}f} {unit}"
    return f"{value:,.0f} {smallest}"


def show_movements(movements: Sequence[Json], matching: int, stored_count: int, console: Console) -> None:
    """Print a line per movement, what else is known of it below, and how many there are."""
    if not movements:
        text = "No transfer is like that." if stored_count else "No transfer is stored yet."
        console.print(f"{text} Movements are derived by the sweeper: `perflog sweep --once` does it at once.")
        return
    table = plain_table()
    for head in _HEADS:
        table.add_column(
            head, justify="right" if head in _RIGHT else "left", no_wrap=head != "from → to", overflow="fold"
        )
    for movement in movements:
        table.add_row(*_make_cells(movement))
    console.print(table)
    console.print()
    shown = f"{len(movements):,} of {matching:,} transfers, those that began last; --limit shows more."
    console.print(shown if matching > len(movements) else f"{format_count(matching, 'transfer')}.")
    console.print("from start to end, waits left out   – not told, never 0")


def _make_cells(movement: Json) -> tuple[Text, ...]:
    outcome = str(movement["outcome"])
    word = "stalled" if movement["stalled"] else "active" if outcome == "unknown" else outcome
    cells = (
        _format_moment(movement["begin"] or movement["queued"] or movement["end"]),
        make_visible(f"{name_end(movement, 'source')} → {name_end(movement, 'destination')}"),
        format_bytes(movement["bytes"]),
        _format_seconds(movement),
        format_rate(movement["rate_bps"]),
    )
    return (*(Text(cell) for cell in cells), Text(word, style=_STYLES[outcome]))


def name_end(movement: Json, end: str) -> str:
    """The site of an end, else its host, else its address; `?` if no record tells it."""
    return str(movement[f"{end}_site"] or movement[end] or movement[f"{end}_ip"] or "?")


def _format_moment(text: str | None) -> str:
    return format_second(iso_ms(text)) if text else NONE


def _format_seconds(movement: Json) -> str:
    if not (movement["begin"] and movement["end"]):
        return NONE
    return f"{(iso_ms(movement['end']) - iso_ms(movement['begin'])) / 1000:,.1f}"


def show_movement(movement: Json, records: Sequence[Json], console: Console) -> None:
    """Print one movement: what it says, and each record that told it."""
    console.print(Text(make_visible(str(movement["key"])), style="bold"), soft_wrap=True)
    for name, value in _list_facts(movement):
        console.print(Text(f"  {name:<10} {make_visible(value)}"), soft_wrap=True)
    console.print()
    console.print(f"Told by {format_count(movement['record_count'], 'record')}:")
    table = plain_table()
    for head in ("time (UTC)", "read by", "event", "observer", "moved", "outcome", "id"):
        table.add_column(head, justify="right" if head == "moved" else "left", no_wrap=head != "id", overflow="fold")
    for record in records:
        event = str(record.get("event") or record.get("level") or NONE)
        cells = (
            _format_moment(record["timestamp"]), record["read_by"], event, record.get("observer") or NONE,
            format_bytes(record.get("bytes")), record["outcome"] or NONE, record["id"],
        )  # fmt: skip
        table.add_row(*(Text(make_visible(str(cell))) for cell in cells))
    console.print(table)
    if movement["record_count"] > len(records):
        console.print(f"The first {len(records):,} of {movement['record_count']:,}.")


def _list_facts(movement: Json) -> Iterator[tuple[str, str]]:
    yield "from", _format_end(movement, "source")
    yield "to", _format_end(movement, "destination")
    yield (
        "time",
        f"{_format_moment(movement['begin'])} to {_format_moment(movement['end'])} UTC, {_format_seconds(movement)} s",
    )
    size = f" of {format_bytes(movement['size_bytes'])}" if movement["size_bytes"] is not None else ""
    yield "moved", f"{format_bytes(movement['bytes'])}{size}, {format_rate(movement['rate_bps'])}"
    error = f": {movement['error']}" if movement["error"] else ""
    yield "outcome", f"{movement['outcome']}{error}"
    waits = [f"{words} {movement[name]:,.1f} s" for name, words in _WAITS.items() if movement[name] is not None]
    if waits:
        yield "waits", ", ".join(waits)
    if movement["files"] is not None or movement["faults"] is not None:
        files = NONE if movement["files"] is None else f"{movement['files']:,}"
        faults = NONE if movement["faults"] is None else f"{movement['faults']:,}"
        yield "files", f"{files}; faults {faults}"
    for name in ("run", "stage", "label", "dataset"):
        if movement[name]:
            yield name, str(movement[name])
    if movement["stalled"]:
        yield "stalled", f"faults grow and bytes do not, since {_format_moment(movement['grew'])} UTC"
    if movement["ambiguous"]:
        yield "perhaps", f"one with {', '.join(movement['ambiguous'])}: several fit, so none was taken"


def _format_end(movement: Json, end: str) -> str:
    parts = [movement[f"{end}_site"], movement[end], movement[f"{end}_ip"]]
    return ", ".join(str(part) for part in parts if part) or "? (no record tells it)"
