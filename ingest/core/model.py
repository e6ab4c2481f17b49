"""Types passed between packages: messages in, outcomes out, and `Problem`, the error that a user can fix.

The bottom layer: it imports nothing else of perflog, so every package may import it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import orjson


class ExitCode(IntEnum):
    """How a command ends, as in sysexits; `meaning` is what README's table says about the code."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> "ExitCode":
        """Keep the meaning beside the number."""
        member = int.__new__(cls, code)
        member._value_, member.meaning = code, meaning
        return member

    DONE = 0, "done"
    FINDINGS = (
        1,
        "`try`, `explain`: something was rejected; `lint`: something to fix; `replay --shadow`: something differs",
    )
    USAGE = 64, "the command was called wrongly"
    BAD_DATA = 65, "bad data; `run`: too much was rejected; `replay`: a line could not be sent"
    NO_INPUT = 66, "a file, a run or a reject that does not exist"
    UNAVAILABLE = 69, "a service does not answer, or something is missing on this machine"
    SOFTWARE = 70, "a bug in perflog, or a client library that it does not know"
    CANNOT_CREATE = 73, "a file for the output cannot be created"
    IO_ERROR = 74, "reading or writing a file failed"
    TEMPORARY = 75, "somebody else wrote the same document meanwhile: try again"
    NO_PERMISSION = 77, "a permission is missing, or user or password are rejected"
    CONFIG = 78, "wrong settings or certificates, or `perflog setup` is missing"
    INTERRUPTED = 130, "stopped by Ctrl-C or SIGTERM before it was done; `run` and `sweep` as services end with 0"


class Problem(Exception):
    """An error that the user can fix: what happened, what to do about it, and the exit code."""

    def __init__(self, message: str, remedy: str = "", exit_code: int = ExitCode.SOFTWARE) -> None:
        """Keep the three parts separate, so that the command line can lay them out."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def __reduce__(self) -> tuple[type["Problem"], tuple[str, str, int]]:
        """Pickle all three parts, so that a worker process can send them to its parent."""
        return Problem, (self.message, self.remedy, self.exit_code)


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a fact's first copy; never part of an id or of derived data, and ignored in comparisons.

    Attributes:
        host: the machine that wrote the line, according to its forwarder.
        path: the file it was read from.
        offset_bytes: the message's first byte in that file.
        forwarder: program and version that shipped it.
        kafka: "topic/partition/offset".
        captured_ms: when the shipper read it (unix ms), for messages whose identity needs it.
        generation: distinguishes files that had the same name: a fingerprint, or an inode.
    """

    host: str | None = None
    path: str | None = None
    offset_bytes: int | None = None
    forwarder: str | None = None
    kafka: str | None = None
    captured_ms: int | None = None
    generation: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One Kafka record, or one line of a file that is being tried.

    Attributes:
        data: the bytes as received, unchanged.
        record_time_ms: Kafka's append time (unix ms); the core has no other clock.
        provenance: where it came from.
        backfill: the shipper marked it as old data; lifts the age limit of the intake.
        bare: its intake's wrapper and prefix were removed before, when the line was first stored.
        glued: it is one of two lines that were joined into one.
    """

    data: bytes
    record_time_ms: int
    provenance: Provenance = Provenance()
    backfill: bool = False
    bare: bool = False
    glued: bool = False


@dataclass(frozen=True, slots=True)
class Intake:
    """The configuration of one topic; the content of a record never changes any of it.

    Attributes:
        name: the name for `ship --intake`.
        topic: the Kafka topic.
        facility: the facility that ships here; lower-case letters, digits and `_`.
        sources: names of the sources that may read it, in the order they are tried.
        workflow: the workflow of these lines, if any.
        zone: UTC offset in seconds for timestamps without a zone; None = infer it from the epoch in the line.
        max_age_days: older events are rejected unless the shipper marked a backfill.
        wrapper: the envelope that the forwarder puts around each message, a name in wrappers.toml; `none` = nothing.
        prefix: what precedes each line inside a message: `none`, or `syslog` (RFC 3164 or RFC 5424).
        gaps: report missing bytes of its files; switch off if the forwarder drops lines on purpose.
        multiline: the forwarder joins lines; each line of a message is decoded separately.
    """

    name: str
    topic: str
    facility: str
    sources: tuple[str, ...]
    workflow: str | None = None
    zone: int | None = None
    max_age_days: int = 400
    wrapper: str = "none"
    prefix: str = "none"
    gaps: bool = True
    multiline: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A fact, ready to be indexed; `version` is external: an equal one is a 409, a higher one replaces the document.

    `text` is the body as JSON, if it has been serialised already.
    """

    index: str
    id: str
    version: int
    body: dict[str, Any]
    text: str = field(default="", compare=False, repr=False)

    @property
    def json(self) -> str:
        """The body as JSON; TypeError if it cannot be serialised."""
        return self.text or orjson.dumps(self.body).decode()

    @property
    def size_bytes(self) -> int:
        """Size of the body as JSON."""
        text = self.json
        return len(text) if text.isascii() else len(text.encode())


@dataclass(frozen=True, slots=True)
class Reject:
    """A message, or a piece of one, that no source could read.

    Attributes:
        reason: a short word from a fixed list, e.g. `syntax`, `value_range`, `time_ahead`.
        detail: the explanation for people.
        original: the rejected bytes of the piece.
        source: the source that got furthest.
        line, column: where reading stopped: line (from 1) in the piece, character (from 1) in the line.
        expected: names of the terminals that would have been accepted there.
        provenance: for a wrapped message, the origin stated by its wrapper; for a piece, its position.
        piece_line, piece_byte: the line (from 1) and byte (from 0) of the message at which the piece begins.
    """

    reason: str
    detail: str
    original: bytes
    source: str | None = None
    line: int = 1
    column: int | None = None
    expected: tuple[str, ...] = ()
    provenance: Provenance | None = None
    piece_line: int = 1
    piece_byte: int = 0


@dataclass(frozen=True, slots=True)
class Ignored:
    """A line that is not for perflog: no tag, no `_DATE=`, no torn beginning of one; `shape` is used for counting."""

    shape: str


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Everything one message became; with a reject it counts as rejected, but its documents are stored all the same.

    `inner` is the inner message, if the message was wrapped.
    """

    documents: tuple[Document, ...] = ()
    rejects: tuple[Reject, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    inner: Message | None = None


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A message that a reader has parsed, not yet interpreted.

    Attributes:
        values: terminal -> text (grammar), or the decoded JSON object.
        raw: the canonical bytes that were parsed.
        items: the repetitions of the source's repeated rule, each terminal -> text; each makes a document.
        spans: position of each item in the text (characters); empty if unknown.
    """

    values: Mapping[str, Any]
    raw: bytes
    items: tuple[Mapping[str, Any], ...] = ()
    spans: tuple[tuple[int, int], ...] = field(default=(), compare=False)
