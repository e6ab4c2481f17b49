"""Units of bytes and rates, and what a line says of a transfer that is not told whole."""

import io
from typing import Any

import pytest
from rich.console import Console

from ingest.cli.transfers.transfers_json import COLUMNS, movement_to_json
from ingest.cli.transfers.transfers_text import format_bytes, format_rate, show_movements


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(None, "–"), (0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (999_600, "1.00 MB"), (268_435_456_000, "268 GB"),
     (12_345_678, "12.3 MB"), (5e15, "5.00 PB")],
)  # fmt: skip
def test_bytes_have_three_digits_and_decimal_units(size_bytes: float | None, text: str) -> None:
    """What is not told is no 0."""
    assert format_bytes(size_bytes) == text


@pytest.mark.parametrize(
    ("rate_bps", "text"), [(None, "–"), (0.0, "0 b/s"), (8_589_934_592.0, "8.59 Gb/s"), (4e10, "40.0 Gb/s")]
)
def test_rates_are_bits_a_second(rate_bps: float | None, text: str) -> None:
    """In decimal units, as networks are told."""
    assert format_rate(rate_bps) == text


def movement(**values: Any) -> dict[str, Any]:
    """A movement of which only this is known."""
    return {**dict.fromkeys(COLUMNS), "outcome": "unknown", "record_count": 1, **values}


@pytest.mark.parametrize("width", [80, 200])
def test_a_line_fits_80_columns_and_says_what_is_not_told(width: int) -> None:
    """Active, stalled and failed are words; an unknown end is `?`; control characters of a host are made visible."""
    console = Console(width=width, file=io.StringIO(), highlight=False)
    began = {"begin": "2026-03-04T19:20:00Z", "source_site": "ALS", "destination_site": "NERSC"}
    show_movements(
        [
            movement(**began, end="2026-03-04T19:24:10Z", bytes=10**12, rate_bps=3.2e10, outcome="success"),
            movement(**began, stalled=True, bytes=5_000_000_000),
            movement(**{**began, "outcome": "failure", "destination_site": None, "destination": "evil\x9b31m.example"}),
            movement(),
        ],
        5,
        5,
        console,
    )
    file = console.file
    assert isinstance(file, io.StringIO)
    text = file.getvalue()

    assert max(map(len, text.splitlines())) <= width
    assert "\x9b" not in text
    for words in (
        "1.00 TB",
        "250.0",
        "32.0 Gb/s",
        "success",
        "stalled",
        "failure",
        "active",
        "? → ?",
        "4 of 5 transfers",
    ):
        assert words in text


def test_json_names_every_column_and_unknown_is_null() -> None:
    """A document that says little becomes a row of nulls."""
    row = movement_to_json({"_id": "x", "perf": {"movement": {"key": "file:fts:a/1"}}})

    assert list(row) == list(COLUMNS)
    assert (row["id"], row["key"], row["bytes"]) == ("x", "file:fts:a/1", None)
