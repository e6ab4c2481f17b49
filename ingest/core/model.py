"""What passes between the rooms: messages in, outcomes out, and the one error a person can mend.

The leaf of the house: imports nothing of ours, so every room may import it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson


class Problem(Exception):
    """Something a person can mend: what happened, what to do about it, and the sysexits code the door leaves with.

    Codes: 64 usage, 65 bad data, 69 service unavailable, 70 software, 74 I/O, 78 bad configuration.
    """

    def __init__(self, message: str, remedy: str = "", exit_code: int = 70) -> None:
        """Keep the three parts apart, so that the door can lay them out."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def __reduce__(self) -> tuple[type["Problem"], tuple[str, str, int]]:
        """Whole, also from one process to another."""
        return Problem, (self.message, self.remedy, self.exit_code)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the first copy came from. Never enters an id or anything derived; left out when documents are compared.

    Attributes:
        host: the machine that wrote the line, as its forwarder says.
        path: the file it was read from.
        offset_bytes: the message's first byte in that file.
        forwarder: program and version that shipped it.
        kafka: "topic/partition/offset".
        captured_ms: when the shipper read it (unix ms), for messages whose identity needs it.
        generation: tells the file apart from others that had its name: a fingerprint, or an inode.
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
    """One Kafka record, or one line of a file that is tried.

    Attributes:
        data: the bytes as they came, untouched.
        record_time_ms: Kafka's append time, unix ms; the only "now" the core knows.
        provenance: where it came from.
        backfill: the shipper said that old data is meant; lifts the age limit of the intake.
        bare: it comes without the wrapper of its intake: it was taken off when it came first.
        glued: it is one of two lines that came glued.
    """

    data: bytes
    record_time_ms: int
    provenance: Provenance = Provenance()
    backfill: bool = False
    bare: bool = False
    glued: bool = False


@dataclass(frozen=True, slots=True)
class Intake:
    """What is declared of one topic: nothing inside a record chooses any of it.

    Attributes:
        name: what `ship --intake` names.
        topic: the Kafka topic.
        facility: who ships here; lower-case letters, digits and `_`.
        sources: names of the sources that may read it, in the order they are asked.
        workflow: the workflow whose lines these are, if any.
        zone: UTC offset in seconds assumed for stamps without one; None = take the reading the epoch agrees with.
        max_age_days: older events are rejected unless the shipper marked a backfill.
        wrapper: what the forwarder puts around each message, a name of wrappers.toml; `none` = nothing.
        gaps: tell what is missing of its files; not where the forwarder leaves lines out on purpose.
        multiline: the forwarder joins lines; each line of a message is read by itself.
    """

    name: str
    topic: str
    facility: str
    sources: tuple[str, ...]
    workflow: str | None = None
    zone: int | None = None
    max_age_days: int = 400
    wrapper: str = "none"
    gaps: bool = True
    multiline: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A fact, ready to be indexed: `version` is external, so the same again is a 409 and a higher one replaces it.

    `text` is the body as JSON, where it was written already.
    """

    index: str
    id: str
    version: int
    body: dict[str, Any]
    text: str = field(default="", compare=False, repr=False)

    @property
    def json(self) -> str:
        """The body as JSON. TypeError when it has no such form."""
        return self.text or orjson.dumps(self.body).decode()

    @property
    def size_bytes(self) -> int:
        """How long it is as JSON."""
        text = self.json
        return len(text) if text.isascii() else len(text.encode())


@dataclass(frozen=True, slots=True)
class Reject:
    """A message, or a piece of one, that no source could read.

    Attributes:
        reason: a short word from a fixed list, e.g. `syntax`, `value_range`, `time_ahead`.
        detail: the sentence for people.
        column: 1-based character where reading stopped, in `line` (1-based within the piece).
        expected: names of what would have been accepted there.
        original: the refused bytes: those of the piece.
        source: the source that came furthest.
        provenance: of a message that came wrapped, as the wrapper says; of a piece, where it lies.
        piece_line, piece_byte: the line (from 1) and the byte (from 0) of the message at which the piece begins.
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
    """A line that is not ours to read: neither the tag nor a `_DATE=`, and not a torn head. `shape` is for counting."""

    shape: str


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Everything one message became. With a reject it counts as rejected; its documents are stored all the same.

    `inner` is the message inside, of one that came wrapped.
    """

    documents: tuple[Document, ...] = ()
    rejects: tuple[Reject, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    inner: Message | None = None


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """What a reader read, not yet interpreted.

    Attributes:
        values: terminal -> text (grammar), or the decoded JSON object.
        raw: the canonical bytes it was read from.
        items: the turns of the source's repeated rule, terminal -> text each; a document comes from every one.
        spans: where each of them lies in the text (characters); none where that cannot be told.
    """

    values: Mapping[str, Any]
    raw: bytes
    items: tuple[Mapping[str, Any], ...] = ()
    spans: tuple[tuple[int, int], ...] = field(default=(), compare=False)
