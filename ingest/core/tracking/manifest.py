"""The manifest of a file: its size according to its shipper or writer. JSON in a record of its own.

A record is a manifest if its header `perflog.manifest` says so (`begin` or `end`), never because of its content. The
same headers as those of the file's lines identify the file. Of the content only sizes, line count and hash are used:

    {"bytes": 4210, "lines": 35, "sha256": "9f86…", "size_bytes": 4210, "file": "/data/run.log", "at": "2016-02-06T…"}

bytes       how many bytes were read; required in `end`
size_bytes  the size of the file, at the least; required in `begin`
lines, sha256, file, at   optional
"""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from ingest.core.model import Ignored, Message, Outcomes, Reject
from ingest.core.sources.readers import JsonReader, Mismatch, canonical
from ingest.core.timestamps import iso

BEGIN = "begin"
END = "end"
ROLES = (BEGIN, END)
MAX_NUMBER = 2**63
_READER = JsonReader()
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NEEDED = {BEGIN: "size_bytes", END: "bytes"}
_FORMS = {"bytes": "a number of bytes", "size_bytes": "a number of bytes", "lines": "a number of lines"}


@dataclass(frozen=True, slots=True, order=True)
class Manifest:
    """A manifest of a file.

    Attributes:
        record_ms: its record time in Kafka (unix ms).
        size_bytes: the size of the file, at the least.
        lines, sha256: as given; -1 and empty if absent.
    """

    record_ms: int
    size_bytes: int
    lines: int = -1
    sha256: str = ""


def read_as(message: Message, role: str) -> tuple[Manifest | None, Outcomes]:
    """The manifest in a record, and the record's outcome: ignored or rejected, never a document."""
    manifest = manifest_of(message, role)
    if isinstance(manifest, Reject):
        return None, Outcomes(rejects=(manifest,))
    return manifest, Outcomes(ignored=(Ignored(f"manifest_{role}"),))


def manifest_of(message: Message, role: str) -> Manifest | Reject:
    """Parse a manifest; returns a Reject with the reason if it is malformed."""
    if role not in ROLES:
        return _rejected(message, f"its header says `{role[:40]}`, which is neither {BEGIN} nor {END}", ROLES)
    if not message.provenance.path:
        return _rejected(message, "no header perflog.path names the file that it is of", ("perflog.path",))
    content = _READER.read(canonical(message.data))
    if isinstance(content, Mismatch):
        return _rejected(message, content.detail, content.expected)
    invalid = _invalid_name(content.values, role)
    if invalid is not None:
        return _rejected(message, f"`{invalid}` is missing, or not {_FORMS.get(invalid, 'a SHA-256')}", (invalid,))
    values = content.values
    size_bytes = max(values.get("bytes", 0), values.get("size_bytes", 0))
    return Manifest(message.record_time_ms, size_bytes, values.get("lines", -1), values.get("sha256", "").lower())


def _invalid_name(values: Any, role: str) -> str | None:
    """The first name with an invalid value; None if all are valid."""
    for name in _FORMS:
        value = values.get(name)
        if name not in values and name != _NEEDED[role]:
            continue
        if type(value) is not int or not 0 <= value < MAX_NUMBER:
            return name
    digest = values.get("sha256", "")
    fits = isinstance(digest, str) and (not digest or _SHA256.fullmatch(digest.lower()))
    return None if fits else "sha256"


def _rejected(message: Message, why: str, expected: tuple[str, ...]) -> Reject:
    return Reject("manifest", f"no manifest of a file: {why}", message.data, None, 1, 1, expected)


def begins(file: str, size_bytes: int, at_ms: int) -> bytes:
    """The begin manifest, sent before a file's first line."""
    return orjson.dumps({"file": file, "size_bytes": size_bytes, "at": iso(at_ms)})


def ends(file: str, read: tuple[int, int, str], size_bytes: int, at_ms: int) -> bytes:
    """The end manifest, sent after a file's last line; `read` = bytes, lines and SHA-256 of what was read."""
    read_bytes, lines, sha256 = read
    content = {"file": file, "bytes": read_bytes, "lines": lines, "sha256": sha256, "size_bytes": size_bytes}
    return orjson.dumps({**content, "at": iso(at_ms)})
