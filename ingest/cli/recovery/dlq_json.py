"""JSON output of `perflog dlq`, with the names that people read."""

from base64 import b64encode
from typing import Any

from ingest.core.model import Outcomes
from ingest.core.timestamps import iso
from ingest.edge.elasticsearch.rejects import StoredReject
from ingest.pipeline.deadletters.inspect import Listing, Original
from ingest.pipeline.deadletters.purge import PurgeReport
from ingest.pipeline.deadletters.replay import ReplayReport


def listing_to_json(listing: Listing) -> dict[str, Any]:
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
        for listed in listing.shapes
    ]
    totals = {"matching": listing.matching, "total": listing.total, "letters": listing.letters}
    return {"shapes": shapes, **totals, **({"trouble": listing.trouble} if listing.trouble else {})}


def reject_to_json(
    reject: StoredReject, original: Original | None, parts: list[str], now: Outcomes | None
) -> dict[str, Any]:
    """Return one reject, and its record as received."""
    return {
        "id": reject.id,
        "index": reject.index,
        "reject": reject.body,
        "other_parts": parts,
        "record": _record_to_json(original) if original else None,
        "read_today": outcomes_to_json(now) if now else None,
    }


def _record_to_json(original: Original) -> dict[str, Any]:
    return {
        "found_in": original.found_in,
        "at": str(original.at) if original.at else None,
        "whole": original.whole,
        "key": _bytes_to_json(original.key),
        "value": _bytes_to_json(original.value),
        "headers": [{"name": name, **_bytes_to_json(value)} for name, value in original.headers],
    }


def _bytes_to_json(data: bytes | None) -> dict[str, str | None]:
    """Return bytes as text if they are UTF-8, and always as base64."""
    if data is None:
        return {"text": None, "base64": None}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = None
    return {"text": text, "base64": b64encode(data).decode()}


def outcomes_to_json(now: Outcomes) -> dict[str, Any]:
    """Return what the record would become now: counts, and why it would still be rejected."""
    rejects = [{"reason": reject.reason, "source": reject.source, "detail": reject.detail} for reject in now.rejects]
    return {"documents": len(now.documents), "rejects": rejects, "ignored": [ignored.shape for ignored in now.ignored]}


def replay_to_json(report: ReplayReport) -> dict[str, Any]:
    """Return what was sent, and what was not."""
    return {
        "dry_run": report.dry_run,
        "records": report.records,
        "topics": dict(report.topics),
        "found_in": dict(report.found_in),
        "replayed_before": report.before,
        "not_sent": [{"id": reject_id, "why": why} for reject_id, why in report.not_sent],
    }


def purge_to_json(report: PurgeReport) -> dict[str, Any]:
    """Return what was deleted."""
    counts = {"rejects": report.rejects, "letters": report.letters, "letters_left": report.letters_left}
    return {**counts, **({"letters_kept_because": report.kept_because} if report.kept_because else {})}
