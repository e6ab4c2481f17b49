"""Compare a document of a transfer with a row of the truth that another hand wrote about the shared samples."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ingest.core.timestamps import iso_ms, of_iso

TRUTH = Path(__file__).parents[1] / "data" / "transfers" / "truth.csv"


def assert_is_truth(body: Mapping[str, Any], row: Mapping[str, str], id_field: str = "id") -> None:
    """Every column of the row that is not empty stands in the document, and every empty one is absent from it.

    `id_field` is the field of `perf.transfer` that the truth calls the id.
    """
    transfer, event = body["perf"]["transfer"], body["event"]
    assert str(transfer.get(id_field, "")) == row["id"], row
    for column, text in (("start", event.get("start")), ("end", event.get("end")), ("queued", transfer.get("queued"))):
        assert (of_iso(text) if text else None) == (iso_ms(row[column]) if row[column] else None), (row, column)
    assert transfer.get("bytes") == (int(row["bytes"]) if row["bytes"] else None), row
    assert transfer.get("rate_bps") == (pytest.approx(float(row["rate_bps"]), rel=1e-9) if row["rate_bps"] else None), (
        row
    )
    for column, end in (("src", "source"), ("dst", "destination")):
        assert body.get(end, {}).get("address", "") == row[column], (row, column)
    assert event["outcome"] == row["outcome"], row
    if row["attempt"]:
        assert transfer.get("attempt") == int(row["attempt"]), row
