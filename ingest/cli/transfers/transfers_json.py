"""Movements and the records that told them as JSON and CSV: what is not known is null, or an empty field."""

import csv
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from ingest.core.lookup import lookup
from ingest.telemetry import on_one_line

COLUMNS: Mapping[str, str] = {
    "id": "_id",
    "facility": "perf.facility",
    "key": "perf.movement.key",
    "level": "perf.movement.level",
    "begin": "event.start",
    "end": "event.end",
    "queued": "perf.movement.queued",
    "outcome": "event.outcome",
    "final": "perf.movement.final",
    "stalled": "perf.movement.stalled",
    "error": "error.message",
    "source": "source.domain",
    "source_ip": "source.ip",
    "source_site": "source.site",
    "destination": "destination.domain",
    "destination_ip": "destination.ip",
    "destination_site": "destination.site",
    "bytes": "perf.movement.bytes",
    "size_bytes": "perf.movement.size_bytes",
    "rate_bps": "perf.movement.rate_bps",
    "request_wait_s": "perf.movement.request_wait_s",
    "queue_wait_s": "perf.movement.queue_wait_s",
    "prepare_s": "perf.movement.prepare_s",
    "checksum_s": "perf.movement.checksum_s",
    "finalize_s": "perf.movement.finalize_s",
    "files": "perf.movement.files",
    "faults": "perf.movement.faults",
    "grew": "perf.movement.grew",
    "run": "perf.run.id",
    "stage": "perf.stage.name",
    "label": "perf.movement.label",
    "dataset": "perf.movement.dataset",
    "probe": "perf.movement.probe",
    "record_count": "perf.movement.record_count",
    "sources": "perf.movement.sources",
    "ambiguous": "perf.movement.ambiguous",
}
"""Name in JSON and heading in CSV -> field."""


def movement_to_json(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a movement as JSON; unknown values are null."""
    return {name: lookup(body, field) for name, field in COLUMNS.items()}


def record_to_json(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record that told a movement: where and when it was read, and all that it tells of the transfer."""
    transfer = body["perf"]["transfer"]
    fields = ("@timestamp", "event.start", "event.end", "event.outcome", "error.message", "file.path")
    own = {field.rpartition(".")[2].lstrip("@"): lookup(body, field) for field in fields}
    return {"id": body["_id"], "read_by": body["perf"]["source"], **own, **transfer}


def write_csv(movements: Iterable[Mapping[str, Any]]) -> None:
    """Write movements, a row each; lists are joined by blanks."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for movement in movements:
        writer.writerow(_to_csv_value(movement[name]) for name in COLUMNS)
    sys.stdout.flush()


def _to_csv_value(value: Any) -> str | float:
    text = " ".join(map(str, value)) if isinstance(value, list) else value
    return "" if text is None else on_one_line(text) if isinstance(text, str) else text
