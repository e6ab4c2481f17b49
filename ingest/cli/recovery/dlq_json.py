"""JSON output of `perflog dlq`, with the names that people read."""

from base64 import b64encode
from typing import Any

from ingest.core.model import Outcomes
from ingest.core.timestamps import iso
from ingest.edge.elasticsearch.rejects import StoredReject
from ingest.pipeline.deadletters.inspect import Listing, Original
from ingest.pipeline.deadletters.purge import PurgeReport
from ingest.pipeline.deadletters.replay import ReplayReport


def listing_row(found: Listing) -> dict[str, Any]:
    """Return the shapes and the totals."""
    shapes = [
        {
            "count": listed.group.count,
            "first": iso(listed.group.first_ms),
            "last": iso(listed.group.last_ms),
            "reason": listed.group.reason,
            "source": listed.group.source,
            "shape": listed.group.shape,
            "intakes": list(listed.group.intakes),
            "replayed": listed.group.replayed,
            "stored_since": listed.stored,
            "newest": listed.group.newest,
        }
        for listed in found.shapes
    ]
    totals = {"matching": found.matching, "total": found.total, "letters": found.letters}
    return {"shapes": shapes, **totals, **({"trouble": found.trouble} if found.trouble else {})}


def reject_row(
    found: StoredReject, original: Original | None, parts: list[str], now: Outcomes | None
) -> dict[str, Any]:
    """Return one reject, and its record as received."""
    return {
        "id": found.id,
        "index": found.index,
        "reject": found.body,
        "other_parts": parts,
        "record": _record(original) if original else None,
        "read_today": today_row(now) if now else None,
    }


def _record(original: Original) -> dict[str, Any]:
    return {
        "found_in": original.found_in,
        "at": str(original.at) if original.at else None,
        "whole": original.whole,
        "key": _bytes(original.key),
        "value": _bytes(original.value),
        "headers": [{"name": name, **_bytes(value)} for name, value in original.headers],
    }


def _bytes(data: bytes | None) -> dict[str, str | None]:
    """Return bytes as text if they are UTF-8, and always as base64."""
    if data is None:
        return {"text": None, "base64": None}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    return {"text": text, "base64": b64encode(data).decode()}


def today_row(now: Outcomes) -> dict[str, Any]:
    """Return what the record would become now: counts, and why it would still be rejected."""
    rejects = [{"reason": one.reason, "source": one.source, "detail": one.detail} for one in now.rejects]
    return {"documents": len(now.documents), "rejects": rejects, "ignored": [one.shape for one in now.ignored]}


def replay_row(report: ReplayReport) -> dict[str, Any]:
    """Return what was sent, and what was not."""
    return {
        "dry_run": report.dry_run,
        "records": report.records,
        "topics": dict(report.topics),
        "found_in": dict(report.found_in),
        "replayed_before": report.before,
        "not_sent": [{"id": reject_id, "why": why} for reject_id, why in report.not_sent],
    }


def purge_row(report: PurgeReport) -> dict[str, Any]:
    """Return what was deleted."""
    counts = {"rejects": report.rejects, "letters": report.letters, "letters_left": report.letters_left}
    return {**counts, **({"letters_kept_because": report.kept_because} if report.kept_because else {})}
