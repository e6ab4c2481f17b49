"""Convert outcomes to JSON rows, the form that `try` prints and samples.json stores."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from ingest.core.model import Outcomes, Reject


def as_rows(outcomes: Outcomes, line: int) -> Iterator[dict[str, Any]]:
    """One row per outcome; `line` is the line of the file on which the message begins."""
    for document in outcomes.documents:
        yield {
            "outcome": "document",
            "index": document.index,
            "id": document.id,
            "version": document.version,
            "document": document.body,
        }
    for reject in outcomes.rejects:
        yield {"outcome": "reject", "line": line + reject.piece_line + reject.line - 2, **_reject(reject)}
    for ignored in outcomes.ignored:
        yield {"outcome": "ignored", "line": line, "shape": ignored.shape}


def _reject(reject: Reject) -> dict[str, Any]:
    row: dict[str, Any] = {
        "reason": reject.reason,
        "column": reject.column,
        "expected": list(reject.expected),
        "detail": reject.detail,
        "source": reject.source,
        "original": reject.original.decode("utf-8", "replace"),
    }
    if row["original"].encode() != reject.original:
        row["original_b64"] = b64encode(reject.original).decode("ascii")
    return row
