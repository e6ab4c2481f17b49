"""The explanation of one message, as data: tokens, fields, documents, rejects."""

from dataclasses import dataclass
from typing import Any

from ingest.core.authoring.nearest import Nearest
from ingest.core.model import Document, Reject


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the text, or a value of a JSON object, and the fields it became.

    Attributes:
        name: terminal, or dotted path.
        text: as written in the message.
        start, end: characters of the text; 0, 0 for JSON.
        item: index in the repeated rule, if the token is part of it.
        fields: pairs of (document from 0, field).
        flags: pairs of (document, flag).
        checks: flags that another text would raise here.
    """

    name: str
    text: str
    start: int = 0
    end: int = 0
    item: int | None = None
    fields: tuple[tuple[int, str], ...] = ()
    flags: tuple[tuple[int, str], ...] = ()
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """A field of a document: its value, the tokens it comes from, and the rule.

    Attributes:
        how: `read` by a row of the source's table, `derived`, or from `outside` the message.
    """

    field: str
    value: Any
    tokens: tuple[str, ...]
    how: str
    rule: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class ExplainedDocument:
    """A document with its fields and the meaning of its flags."""

    document: Document
    fields: tuple[Filled, ...]
    flags: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RejectExplanation:
    """A reject, with (terminal, words) of the expected terminals, and the nearest accepted form.

    `source` is empty if none of the sources has anything in common with the message.
    """

    source: str
    reject: Reject
    expected: tuple[tuple[str, str], ...]
    at: int | None
    nearest: Nearest | None
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole explanation of one message; `outcome` is document, reject or ignored.

    Attributes:
        source: the one that read it; None if none did.
        text: the canonical text that columns refer to.
        rejects: rejects, that of the source which read furthest first; without sources whose format plainly differs.
        ignored: (source, shape, why).
    """

    outcome: str
    source: str | None
    text: str
    tokens: tuple[Token, ...] = ()
    documents: tuple[ExplainedDocument, ...] = ()
    rejects: tuple[RejectExplanation, ...] = ()
    ignored: tuple[tuple[str, str, str], ...] = ()
