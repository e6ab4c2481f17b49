"""The manifest of a file: how large it is, told by who ships it or who wrote it. JSON in a record of its own. Pure.

A record is a manifest because its header `perflog.manifest` says so (`begin` or `end`), never because of its content;
which file it is of is told by the same headers that the file's lines carry. Of the content only numbers are believed:

    {"bytes": 4210, "lines": 35, "sha256": "9f86…", "size_bytes": 4210, "file": "/data/run.log", "at": "2016-02-06T…"}

bytes       how many bytes were read; at the end it must be there
size_bytes  how large the file was at most; at the beginning it must be there
lines, sha256, file, at   may be there, and are kept as they are told
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
    """What was said of a file.

    Attributes:
        record_ms: when Kafka got it (unix ms).
        size_bytes: how large the file is, at the least.
        lines, sha256: as told; -1 and empty where they were not.
    """

    record_ms: int
    size_bytes: int
    lines: int = -1
    sha256: str = ""


def read_as(message: Message, role: str) -> tuple[Manifest | None, Outcomes]:
    """What a manifest says, and what becomes of its record: never a document: ignored, or rejected."""
    found = manifest_of(message, role)
    if isinstance(found, Reject):
        return None, Outcomes(rejects=(found,))
    return found, Outcomes(ignored=(Ignored(f"manifest_{role}"),))


def manifest_of(message: Message, role: str) -> Manifest | Reject:
    """The manifest in a message whose header says that it is one; else the Reject that says why it is none."""
    if role not in ROLES:
        return _refused(message, f"its header says `{role[:40]}`, which is neither {BEGIN} nor {END}", ROLES)
    if not message.provenance.path:
        return _refused(message, "no header perflog.path names the file that it is of", ("perflog.path",))
    found = _READER.read(canonical(message.data))
    if isinstance(found, Mismatch):
        return _refused(message, found.detail, found.expected)
    wrong = _wrong(found.values, role)
    if wrong is not None:
        return _refused(message, f"`{wrong}` is missing, or not {_FORMS.get(wrong, 'a SHA-256')}", (wrong,))
    told = found.values
    size_bytes = max(told.get("bytes", 0), told.get("size_bytes", 0))
    return Manifest(message.record_time_ms, size_bytes, told.get("lines", -1), told.get("sha256", "").lower())


def _wrong(told: Any, role: str) -> str | None:
    """The first name whose value cannot be."""
    for name in _FORMS:
        value = told.get(name)
        if name not in told and name != _NEEDED[role]:
            continue
        if type(value) is not int or not 0 <= value < MAX_NUMBER:
            return name
    digest = told.get("sha256", "")
    fits = isinstance(digest, str) and (not digest or _SHA256.fullmatch(digest.lower()))
    return None if fits else "sha256"


def _refused(message: Message, why: str, expected: tuple[str, ...]) -> Reject:
    return Reject("manifest", f"no manifest of a file: {why}", message.data, None, 1, 1, expected)


def begins(file: str, size_bytes: int, at_ms: int) -> bytes:
    """What is sent ahead of a file's first line."""
    return orjson.dumps({"file": file, "size_bytes": size_bytes, "at": iso(at_ms)})


def ends(file: str, read: tuple[int, int, str], size_bytes: int, at_ms: int) -> bytes:
    """What is sent behind a file's last line; `read` = bytes, lines and SHA-256 of what was read of it."""
    read_bytes, lines, sha256 = read
    told = {"file": file, "bytes": read_bytes, "lines": lines, "sha256": sha256, "size_bytes": size_bytes}
    return orjson.dumps({**told, "at": iso(at_ms)})
