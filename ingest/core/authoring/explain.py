"""Explain a message's outcome: which source read it, which token became which field, or where reading stopped.

Uses the pipeline's own decoder, one source at a time, and adds words to its outcomes without changing them. Columns
count characters of the canonical text (without BOM, ANSI codes, CR and outer whitespace).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from ingest.core.authoring.explanation import ExplainedDocument, Explanation, Filled, RejectExplanation, Token
from ingest.core.authoring.lineage import FLAG, InputPart, Lineage, interpreted, lineage
from ingest.core.authoring.nearest import examples, nearest
from ingest.core.authoring.wording import BEFORE_SOURCES, ignored_because, missing_words, rule_of, terminal_words
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.furthest import by_progress, furthest
from ingest.core.fields import Schema
from ingest.core.lookup import lookup
from ingest.core.model import Document, Ignored, Intake, Message, Outcomes, Reject
from ingest.core.sources.event import Context, EventBuilder
from ingest.core.sources.grammar import GrammarReader, PlacedToken
from ingest.core.sources.readers import Mismatch, canonical
from ingest.core.sources.source import Source

NO_SOURCE = "the intake"


class Explainer:
    """Explains messages of one intake."""

    def __init__(
        self, intake: Intake, sources: Mapping[str, Source], schema: Schema, sites: Mapping[str, str] | None = None
    ) -> None:
        """Bind the intake's sources, each with its own decoder."""
        self._schema, self._sites, self._intake = schema, dict(sites or {}), intake
        self._sources = [sources[name] for name in intake.sources]
        self._whole = Decoder(intake, sources, schema, sites)
        alone = [replace(intake, sources=(source.name,)) for source in self._sources]
        self._decoders = [Decoder(one, sources, schema, sites) for one in alone]

    def explain(self, message: Message) -> Explanation:
        """Explain one message; a line behind a prefix as if it stood alone, at its place in the message."""
        piece, as_received = self._whole.behind_prefix(message), message
        message = replace(message, data=canonical(message.data))
        text = message.data.decode("utf-8", "replace")
        if piece is not None:
            line = replace(piece.message, data=canonical(piece.message.data), bare=True)
            return _in_prefixed(self._explain(line, line.data.decode("utf-8", "replace")), message.data, text)
        rejects = self._whole.decode(as_received, message.record_time_ms).rejects
        if any(reject.reason in BEFORE_SOURCES for reject in rejects):
            return Explanation("reject", None, text, rejects=tuple(_before_sources(reject, text) for reject in rejects))
        return self._explain(message, text)

    def _explain(self, message: Message, text: str) -> Explanation:
        outcomes_by_source = [decoder.decode(message, message.record_time_ms) for decoder in self._decoders]
        decoded = list(zip(self._sources, self._decoders, outcomes_by_source, strict=True))
        for source, decoder, outcomes in decoded:
            if outcomes.documents:
                return self._read(source, decoder, message, outcomes, text)
        counted = by_progress([(source, outcomes) for source, _, outcomes in decoded], message.data)
        decoder_of = {source.name: decoder for source, decoder, _ in decoded}
        rejections = [
            rejection
            for source, outcomes in counted
            for rejection in self._rejects(source, decoder_of[source.name], message, outcomes, text)
        ]
        blamed = furthest(counted, message.data).rejects[:1]
        if blamed and blamed[0].source is None:
            rejections.insert(0, _of_every_source(blamed[0]))
        ignored = [_ignored(source, one) for source, _, outcomes in decoded for one in outcomes.ignored]
        outcome = "reject" if rejections else "ignored"
        return Explanation(outcome, None, text, rejects=tuple(rejections), ignored=tuple(ignored))

    def _read(self, source: Source, decoder: Decoder, message: Message, outcomes: Outcomes, text: str) -> Explanation:
        record = source.reader.read(message.data)
        if isinstance(record, Mismatch):
            return self._pieced(source, decoder, message, outcomes, text)
        context = Context(source, self._intake, message, self._sites)
        filled = [event for event in interpreted(record, context) if isinstance(event, EventBuilder)]
        numbers = _numbered(filled, interpreted(record, context), outcomes.documents)
        fed = _renumbered(lineage(record, context), numbers)
        documents = [self._explained(source, document, n, fed) for n, document in enumerate(outcomes.documents)]
        rejections = self._rejects(source, decoder, message, outcomes, text)
        outcome = "reject" if rejections else "document"
        return Explanation(
            outcome, source.name, text, _tokens(source, text, record.values, fed), tuple(documents), tuple(rejections)
        )

    def _pieced(self, source: Source, decoder: Decoder, message: Message, outcomes: Outcomes, text: str) -> Explanation:
        """Explain a message whose parts were decoded separately (glued lines), each part at its position."""
        documents: list[ExplainedDocument] = []
        tokens: list[Token] = []
        for original in dict.fromkeys(str(lookup(document.body, "event.original")) for document in outcomes.documents):
            data = canonical(original.encode())
            part = decoder.decode(replace(message, data=data), message.record_time_ms)
            if data == message.data or not part.documents:
                documents += [self._explained(source, document, 0, {}) for document in part.documents]
                continue
            read = self._read(source, decoder, replace(message, data=data), part, data.decode("utf-8", "replace"))
            tokens += _moved(read.tokens, max(text.find(read.text), 0), len(documents))
            documents += [self._as_whole(one, outcomes.documents) for one in read.documents]
        rejections = tuple(self._rejects(source, decoder, message, outcomes, text))
        outcome = "reject" if rejections else "document"
        return Explanation(outcome, source.name, text, tuple(tokens), tuple(documents), rejections)

    def _as_whole(self, explained: ExplainedDocument, documents: Sequence[Document]) -> ExplainedDocument:
        """The document that the whole message yielded; it has one flag more than that of the part alone."""
        document = next((one for one in documents if one.id == explained.document.id), explained.document)
        return replace(explained, document=document, flags=self._meanings(document))

    def _meanings(self, document: Document) -> tuple[tuple[str, str], ...]:
        return tuple((flag, self._schema.flags.get(flag, "")) for flag in document.body["perf"].get("flags", ()))

    def _explained(
        self, source: Source, document: Document, number: int, fed: Mapping[InputPart, Lineage]
    ) -> ExplainedDocument:
        fields = []
        for name, field in self._schema.of(source.kind).items():
            value = lookup(document.body, name)
            if value is None:
                continue
            parts = [part.name for part, one in fed.items() if (number, name) in one.fields]
            how, rule = rule_of(source, field, value, parts)
            fields.append(Filled(name, value, tuple(dict.fromkeys(parts)), how, rule, field.unit))
        return ExplainedDocument(document, tuple(fields), self._meanings(document))

    def _rejects(
        self, source: Source, decoder: Decoder, message: Message, outcomes: Outcomes, text: str
    ) -> list[RejectExplanation]:
        rejects = (_in_whole(reject, message.data) for reject in outcomes.rejects)
        return [self._explain_reject(source, decoder, message, reject, text) for reject in rejects]

    def _explain_reject(
        self, source: Source, decoder: Decoder, message: Message, reject: Reject, text: str
    ) -> RejectExplanation:
        at = _offset(text, reject)
        names = reject.expected or missing_words(source, reject.reason)
        expected = tuple((name, terminal_words(source, name, examples(source))) for name in names)
        readable = len(message.data) <= source.max_bytes

        def flags_of(candidate: str) -> int | None:
            outcomes = decoder.decode(replace(message, data=candidate.encode()), message.record_time_ms)
            accepted = outcomes.documents and not outcomes.rejects
            return sum(len(one.body["perf"].get("flags", ())) for one in outcomes.documents) if accepted else None

        form = nearest(source, text, len(text) if at is None else at, reject.expected, flags_of) if readable else None
        tokens = _tokens(source, text, {}, {}) if readable else ()
        return RejectExplanation(source.name, reject, expected, at, form, tokens)


def _before_sources(reject: Reject, text: str) -> RejectExplanation:
    """Explain a reject that comes before any source reads the message."""
    expected = tuple((name, name) for name in reject.expected)
    return RejectExplanation(NO_SOURCE, reject, expected, _offset(text, reject), None)


def _of_every_source(reject: Reject) -> RejectExplanation:
    """Explain a reject that blames no source, because none knows a key of the message."""
    return RejectExplanation("", reject, tuple((name, name) for name in reject.expected), None, None)


def _in_prefixed(line: Explanation, data: bytes, text: str) -> Explanation:
    """The explanation of a line that ends a message, with positions in the message; `text` is the whole of it."""
    chars = len(text) - len(line.text)
    return replace(
        line,
        text=text,
        tokens=tuple(_moved(line.tokens, chars, 0)),
        rejects=tuple(_moved_reject(rejection, data, chars, text) for rejection in line.rejects),
    )


def _moved_reject(rejection: RejectExplanation, data: bytes, chars: int, text: str) -> RejectExplanation:
    reject, nearest_form = rejection.reject, rejection.nearest
    column = reject.column if reject.column is None or reject.line > 1 else reject.column + chars
    if nearest_form is not None:
        nearest_form = replace(nearest_form, text=text[:chars] + nearest_form.text)
    return replace(
        rejection,
        reject=replace(reject, original=data, column=column),
        at=None if rejection.at is None else rejection.at + chars,
        nearest=nearest_form,
        tokens=tuple(_moved(rejection.tokens, chars, 0)),
    )


def _ignored(source: Source, ignored: Ignored) -> tuple[str, str, str]:
    return source.name, ignored.shape, ignored_because(source, ignored.shape)


def _in_whole(reject: Reject, data: bytes) -> Reject:
    """The reject of a piece, with line and column counted in the whole message."""
    before = data[: reject.piece_byte].decode("utf-8", "replace")
    ahead = len(before) - before.rfind("\n") - 1 if reject.line == 1 else 0
    column = None if reject.column is None else reject.column + ahead
    return replace(reject, original=data, line=reject.line + reject.piece_line - 1, column=column)


def _offset(text: str, reject: Reject) -> int | None:
    """The character offset of the reject's line and column."""
    return None if reject.column is None else character_of(text, reject.line, reject.column)


def character_of(text: str, line: int, column: int) -> int:
    """The character offset of a line and a column, both from 1; the end of the text if they lie beyond it."""
    lines = text.split("\n")
    return min(sum(len(one) + 1 for one in lines[: line - 1]) + column - 1, len(text))


def _numbered(filled: Sequence[EventBuilder], events: Sequence[Any], documents: Sequence[Document]) -> dict[int, int]:
    """Event -> document, matched by fields: an event with its fields filled may still be rejected (age, identity)."""
    numbers: dict[int, int] = {}
    open_documents = list(enumerate(documents))
    for ordinal, event in enumerate(events):
        if not open_documents or not isinstance(event, EventBuilder):
            continue
        number, document = open_documents[0]
        if len(filled) == len(documents) or all(_same(lookup(document.body, k), v) for k, v in event.body.items()):
            numbers[ordinal] = number
            open_documents.pop(0)
    return numbers


def _same(stored: Any, value: Any) -> bool:
    return stored == value or (isinstance(stored, str) and isinstance(value, int))  # dates are ISO in documents


def _renumbered(fed: Mapping[InputPart, Lineage], numbers: Mapping[int, int]) -> dict[InputPart, Lineage]:
    def names(pairs: frozenset[tuple[int, str]]) -> frozenset[tuple[int, str]]:
        return frozenset((numbers[ordinal], name) for ordinal, name in pairs if ordinal in numbers)

    return {part: replace(one, fields=names(one.fields), decides=names(one.decides)) for part, one in fed.items()}


def _tokens(
    source: Source, text: str, values: Mapping[str, Any], fed: Mapping[InputPart, Lineage]
) -> tuple[Token, ...]:
    if isinstance(source.reader, GrammarReader):
        return tuple(_token(placed, fed) for placed in source.reader.tokens(text))
    tokens = []
    for part, one in fed.items():
        if one.fields:
            value = lookup(values, part.name)
            tokens.append(
                _filled(Token(part.name, value if isinstance(value, str) else orjson.dumps(value).decode()), one)
            )
    return tuple(tokens)


def _moved(tokens: Sequence[Token], chars: int, documents: int) -> list[Token]:
    """The tokens of a part of a message, moved by so many characters and documents."""
    return [
        replace(
            token,
            start=token.start + chars,
            end=token.end + chars,
            fields=tuple((number + documents, name) for number, name in token.fields),
            flags=tuple((number + documents, name) for number, name in token.flags),
        )
        for token in tokens
    ]


def _token(placed: PlacedToken, fed: Mapping[InputPart, Lineage]) -> Token:
    token = Token(placed.terminal, placed.text, placed.start, placed.end, placed.item)
    one = fed.get(InputPart(placed.terminal, placed.item)) or fed.get(InputPart(placed.terminal))
    return _filled(token, one) if one else token


def _filled(token: Token, fed: Lineage) -> Token:
    names = sorted(fed.fields)
    return replace(
        token,
        fields=tuple((number, name) for number, name in names if not name.startswith(FLAG)),
        flags=tuple((number, name.removeprefix(FLAG)) for number, name in names if name.startswith(FLAG)),
        checks=tuple(sorted(fed.checks)),
    )
