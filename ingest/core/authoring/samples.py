"""The outcomes of a source's own samples: samples.json, written by `perflog source accept`, read by people and tests.

    {"revision": 1, "facility": "als", "received": "2016-02-07T00:00:00Z", "zone": null, "files": {"samples.log": []}}

A row is one of rows.py; times that depend only on the ingest (event.created, event.ingested) are fixed by `received`.
Reads only files in the folders of the sources.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingest.core.authoring.rows import as_rows
from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema
from ingest.core.model import ExitCode, Intake, Message, Outcomes, Problem, Provenance
from ingest.core.sources.framing import frames, framing_of
from ingest.core.sources.loader import sample_files
from ingest.core.sources.source import Source
from ingest.core.timestamps import iso_ms, offset_s

DEFAULTS = {"facility": "example", "received": "2026-03-05T00:00:00Z", "zone": None}


def accepted(source: Source) -> dict[str, Any]:
    """The samples.json of a source; an empty one with the defaults if it does not exist yet."""
    path = source.folder / "samples.json"
    if not path.exists():
        return {"revision": 0, **DEFAULTS, "files": {}}
    samples: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return samples


def outcomes(source: Source, schema: Schema, header: Mapping[str, Any]) -> dict[str, Any]:
    """The current outcomes of the samples, in the form of samples.json."""
    files = {path.name: rows_of(source, schema, header, path) for path in sample_files(source.folder)}
    settings = {key: header[key] for key in DEFAULTS}
    return {"revision": source.revision, **settings, "files": files}


def rows_of(source: Source, schema: Schema, header: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """The rows of one file of samples."""
    rows = []
    for line, message_outcomes in read(source, schema, header, path):
        rows += list(as_rows(message_outcomes, line))
    return rows


def read(source: Source, schema: Schema, header: Mapping[str, Any], path: Path) -> list[tuple[int, Outcomes]]:
    """Decode a file of samples (the source's own or another's): the line of each message, and its outcomes."""
    zone = offset_s(header["zone"]) if header.get("zone") else None
    intake = Intake("samples", "samples", header["facility"], (source.name,), zone=zone)
    decoder = Decoder(intake, {source.name: source}, schema)
    received_ms = iso_ms(header["received"])
    data = path.read_bytes()
    rows = []
    for frame in frames(data, framing_of(source, path.name, data)):
        provenance = Provenance(captured_ms=received_ms)
        message = Message(frame.data, received_ms, provenance, backfill=True)
        rows.append((frame.line, decoder.decode(message, received_ms)))
    return rows


def write(source: Source, samples: Mapping[str, Any]) -> Path:
    """Write samples.json; raise `Problem` (65) if outcomes change under the same revision."""
    before = accepted(source)
    shared = before["files"].keys() & samples["files"].keys()
    changed = [name for name in shared if before["files"][name] != samples["files"][name]]
    if changed and before["revision"] >= source.revision and not _only_more(before, samples, changed):
        raise Problem(
            f"The outcomes of {source.name}/{', '.join(sorted(changed))} change, but its revision does not.",
            "Raise `revision` in source.toml, so that documents already stored are corrected.",
            ExitCode.BAD_DATA,
        )
    path = source.folder / "samples.json"
    path.write_text(json.dumps(samples, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _only_more(before: Mapping[str, Any], now: Mapping[str, Any], changed: list[str]) -> bool:
    """Whether all previous outcomes are unchanged: samples were added, no rule was changed."""
    return all(row in now["files"][name] for name in changed for row in before["files"][name])


def read_by_two(sources: Mapping[str, Source], schema: Schema) -> list[str]:
    """Samples from which another source makes documents: the two formats cannot share an intake."""
    conflicts = []
    for owner in sources.values():
        header = accepted(owner)
        for path in sample_files(owner.folder):
            for other in sources.values():
                if other.name != owner.name and any(o.documents for _, o in read(other, schema, header, path)):
                    conflicts.append(f"{owner.name}/{path.name} is read by {other.name} too")
    return conflicts
