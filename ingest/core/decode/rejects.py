"""Classify a message that yielded no document: a reject with a reason and a position, or ignored.

A message is never ignored if it contains its source's tag, a torn header with the tag, or a tag one letter off.
"""

import re
from dataclasses import replace

from ingest.core.bounds import OUTPUT_EXTRA_BYTES, OUTPUT_FACTOR, TOO_MANY
from ingest.core.model import Ignored, Message, Outcomes, ParsedMessage, Reject
from ingest.core.sources import utf16
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.readers import Mismatch
from ingest.core.sources.source import Gate, Marks, Source

_LETTERS = re.compile(r"\w*[^\W\d_]")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,15}")


def reject_of(fault: InvalidRecord, event: EventBuilder, context: Context, raw: bytes) -> Reject:
    """Turn an InvalidRecord into a reject; in text messages, it points at the value at fault."""
    source, message = context.source, context.message
    terminal_text = _terminal_text(fault.where, event, source) if fault.where else None
    position = (
        source.reader.locate(raw, *terminal_text)
        if terminal_text and isinstance(source.reader, GrammarReader)
        else None
    )
    line, column = position or (1, None)
    if column is not None and line == 1:
        column += stripped(message.data, raw)
    expected = (fault.expected,) if fault.expected else ()
    return Reject(fault.reason, fault.detail, message.data, source.name, line, column, expected)


def _terminal_text(where: str, event: EventBuilder, source: Source) -> tuple[str, str] | None:
    """The terminal at fault and its text: a pair's name, or the terminal that stands for an instant without a key."""
    if source.pairs:
        return source.pairs.name, where
    if source.marks and where == source.marks.value:
        keys = {key: terminal for terminal, key in source.marks.instants}
        where = keys.get(event.values.get(source.marks.key, ""), where)
    text = event.values.get(where)
    return (where, text) if isinstance(text, str) else None


def stripped(data: bytes, raw: bytes) -> int:
    """How many characters of the message precede its canonical bytes."""
    before = data.find(raw[:64])
    return len(data[:before].decode("utf-8", "replace")) if before > 0 else 0


def too_long(source: Source, raw: bytes, message: Message) -> Outcomes:
    """Reject a message longer than its source reads, or ignore it if it does not belong to the source."""
    gate = source.gate
    if (
        gate
        and not is_ours(gate, raw)
        and (gate.head is None or gate.head.match(raw[:4096].decode("utf-8", "replace")) is None)
    ):
        return Outcomes(ignored=(Ignored("too_long"),))
    detail = f"{len(raw):,} bytes are more than the {source.max_bytes:,} that {source.name} reads"
    return Outcomes(rejects=(Reject("too_long", detail, message.data, source.name, column=source.max_bytes + 1),))


def without_prefix(message: Message) -> Reject:
    """Reject a line of ours without the prefix that its intake declares."""
    what = "it begins with no syslog prefix, which its intake declares; the intake of bare lines has no `prefix`"
    return Reject("prefix", what, message.data, None, 1, 1, ("syslog prefix",))


def no_utf8(message: Message) -> Reject:
    """Reject a line of UTF-16 that was cut at newline bytes, and so has no byte order mark."""
    what = f"UTF-16 without a byte order mark: its file was cut into lines as if it were UTF-8; {utf16.REMEDY}"
    return Reject("encoding", what, message.data, None, 1, 1, ("UTF-8",))


def too_many_documents(source: Source, documents: int, message: Message) -> Reject:
    """Reject a piece that would yield more documents than may each keep a copy of its bytes."""
    size_bytes = len(message.data)
    what = (
        f"its {documents:,} {source.repeats} would each keep a copy of its {size_bytes:,} bytes: more than "
        f"{OUTPUT_FACTOR} times its size plus {OUTPUT_EXTRA_BYTES:,}"
    )
    return Reject(TOO_MANY[source.repeats], what, message.data, source.name)


def torn_among_others(source: Source, record: ParsedMessage) -> Mismatch:
    """The mismatch of a glued line that ends without its last value."""
    text = record.raw.decode("utf-8", "replace")
    name, value = (source.pairs.name, source.pairs.value) if source.pairs else _key_and_value(source.marks)
    expected = value if record.items else name
    return Mismatch(
        "syntax", "it came glued to another line and ends without a value", 1, len(text) + 1, (expected,), at_end=True
    )


def _key_and_value(marks: Marks | None) -> tuple[str, str]:
    return (marks.key, marks.value) if marks else ("", "")


def is_torn(result: ParsedMessage | Mismatch) -> bool:
    """Whether the input ended too early."""
    return isinstance(result, Mismatch) and result.at_end


def is_ours(gate: Gate, raw: bytes) -> bool:
    """Whether a message contains a word that marks it as the source's own, parsed or not."""
    return gate.keeps.search(raw) is not None and not any(word in raw for word in gate.echoed)


def is_foreign(source: Source, raw: bytes) -> bool:
    """Whether a message can be ignored without running Lark.

    Lark is slow, and most lines of a log belong to other programs. A line that does not parse, has none of
    the source's words and lacks its header is ignored wherever it fails.
    """
    gate, reader = source.gate, source.reader
    if gate is None:
        return False
    if any(word in raw for word in gate.others):
        return True
    if is_ours(gate, raw):
        return False
    if gate.head is None:
        return True
    if len(raw) > source.max_bytes or not isinstance(reader, GrammarReader):
        return False
    text = raw.decode("utf-8", "replace")
    return gate.head.match(text) is None and not reader.takes(text)


def classify(source: Source, raw: bytes, message: Message, miss: Mismatch) -> Outcomes:
    """Reject or ignore a message that did not parse.

    It is ignored if it has neither the tag nor a `_DATE=`, no torn header, and no tag that is one letter off.
    """
    gate = source.gate
    if gate is None:
        return mismatched(source, raw, message, miss)
    text = raw.decode("utf-8", "replace")
    if is_ours(gate, raw):
        if _in_foreign_words(gate, text, miss):
            miss = replace(miss, reason="stamp_locale", at_end=False)
        return mismatched(source, raw, message, miss)
    if gate.head is None or gate.head.match(text) is None:
        return Outcomes(ignored=(Ignored("other"),))
    if miss.at_end:
        return _rejected("torn", source, raw, message, miss)
    if gate.tag in miss.expected:
        word = re.split(r"[:\s]", miss.rest, maxsplit=1)[0]
        if miss.rest == word and gate.literal.startswith(word):
            return _rejected("torn", source, raw, message, miss)
        if one_letter_off(word, gate.literal):
            return _rejected("tag", source, raw, message, miss)
        if _WORD.fullmatch(word):
            return Outcomes(ignored=(Ignored(f"tag:{word}"),))
    return Outcomes(ignored=(Ignored("stamped"),))


def _in_foreign_words(gate: Gate, text: str, miss: Mismatch) -> bool:
    """Whether reading stopped at a word inside a stamp that is one, though not in English."""
    stamp = gate.foreign.match(text) if gate.foreign and _LETTERS.match(miss.rest) else None
    return stamp is not None and miss.column <= stamp.end() and (gate.seam is None or gate.seam.search(text) is None)


def mismatched(source: Source, raw: bytes, message: Message, miss: Mismatch) -> Outcomes:
    """A message that is ours and cannot be read: torn when it ends too early."""
    return _rejected("torn" if miss.at_end else miss.reason, source, raw, message, miss)


def _rejected(reason: str, source: Source, raw: bytes, message: Message, miss: Mismatch) -> Outcomes:
    """A mismatch as a reject, its column counted in the message as it came, not in the canonical bytes."""
    ahead = stripped(message.data, raw) if miss.line == 1 else 0
    detail = miss.detail
    if source.framing == "line" and b"\n" in raw:
        lines = raw.count(b"\n") + 1
        detail += f"; the message holds {lines:,} lines: an intake with `multiline = true` reads each separately"
    reject = Reject(reason, detail, message.data, source.name, miss.line, miss.column + ahead, miss.expected)
    return Outcomes(rejects=(reject,))


def one_letter_off(word: str, literal: str) -> bool:
    """Whether changing, adding, dropping or swapping one letter turns `word` into `literal`, in any case."""
    word = word.upper()
    size = len(literal)
    near = {literal}
    near |= {literal[:n] + literal[n + 1] + literal[n] + literal[n + 2 :] for n in range(size - 1)}
    if word in near:
        return True
    if len(word) == size:
        return sum(a != b for a, b in zip(word, literal, strict=True)) == 1
    longer, shorter = (word, literal) if len(word) > size else (literal, word)
    return any(longer[:n] + longer[n + 1 :] == shorter for n in range(len(longer)))
