"""Turn one message into its outcomes: documents, rejects, or ignored.

When several sources share an intake, documents win over rejects, and rejects over ignored, unless a source knows the
record and declares it to be ignored. Of several rejects, the one whose source read furthest wins (furthest.py).
No input bytes make this module raise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ingest.core.bounds import (
    BLOCKS,
    LINES,
    OUTPUT_EXTRA_BYTES,
    OUTPUT_FACTOR,
    TOO_MANY,
    are_too_many,
    most_output_bytes,
    output_bytes,
)
from ingest.core.decode.bodies import BodyBuilder, body_json, identity
from ingest.core.decode.furthest import SourceOutcomes, furthest
from ingest.core.decode.glued import ends_early, seams
from ingest.core.decode.interpret import (
    apply_table,
    begun_shape,
    check,
    documents_of,
    events_of,
    ignored_shape,
    is_declared_ignored,
)
from ingest.core.decode.pieces import MessagePiece, MessagePieces, behind_prefix, blocks_of, part_of, pieces
from ingest.core.decode.rejects import (
    classify,
    is_foreign,
    is_ours,
    is_torn,
    mismatched,
    no_utf8,
    reject_of,
    too_long,
    too_many_documents,
    torn_among_others,
    without_prefix,
)
from ingest.core.fields import Schema
from ingest.core.ids import LATEST_UPDATE_S, version
from ingest.core.model import Document, ExitCode, Ignored, Intake, Message, Outcomes, ParsedMessage, Problem, Reject
from ingest.core.sources import utf16
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.sources.readers import JsonReader, Mismatch, canonical
from ingest.core.sources.source import Source
from ingest.core.sources.wrapping.prefixes import SYSLOG
from ingest.core.sources.wrapping.wrappers import Wrapper, chosen, unwrapped
from ingest.core.timestamps import EARLIEST_MS, MS_PER_DAY, iso

TIME_WORDS = "time not before 2000, not over a day ahead, not older than the intake allows"
GLUED = "glued"


class Decoder:
    """Decodes the messages of one intake."""

    def __init__(
        self,
        intake: Intake,
        sources: Mapping[str, Source],
        schema: Schema,
        sites: Mapping[str, str] | None = None,
        wrappers: Mapping[str, Wrapper] | None = None,
    ) -> None:
        """Bind the intake to its sources and wrapper; raise `Problem` (78) if it names one that does not exist."""
        missing = [name for name in intake.sources if name not in sources]
        if missing:
            names = ", ".join(sorted(sources))
            raise Problem(
                f"Intake {intake.name} names source `{missing[0]}`, which does not exist.",
                f"The sources are: {names}.",
                ExitCode.CONFIG,
            )
        self.intake = intake
        self._sources = [sources[name] for name in intake.sources]
        for source in self._sources:
            check(source)
        self._check_multiline()
        self._wrapper = chosen(intake.wrapper, wrappers or {}, intake.name)
        self._has_prefix = intake.prefix == SYSLOG
        self._schema = schema
        self._sites = dict(sites or {})
        self._reads_json = any(isinstance(source.reader, JsonReader) for source in self._sources)
        self._lists = frozenset(source.list_name for source in self._sources if source.list_name is not None)
        self._bodies = BodyBuilder(schema)

    def _check_multiline(self) -> None:
        """Allow `multiline` only if every source reads single lines: otherwise joined lines cannot be told apart."""
        whole = [source.name for source in self._sources if source.framing != "line"]
        if self.intake.multiline and whole:
            what = (
                f"Intake {self.intake.name}: `multiline = true`, but one message of {whole[0]} may have several lines."
            )
            raise Problem(what, "Give its messages a topic and an intake of their own.", ExitCode.CONFIG)

    @property
    def first(self) -> Source:
        """The source that is tried first."""
        return self._sources[0]

    def source(self, name: str) -> Source:
        """The intake's source of this name."""
        return next(source for source in self._sources if source.name == name)

    @property
    def mark_sources(self) -> tuple[str, ...]:
        """The names of the intake's sources whose documents are marks."""
        return tuple(source.name for source in self._sources if source.kind == "marks")

    @property
    def revisions(self) -> dict[str, int]:
        """The revision of each source of the intake, by name."""
        return {source.name: source.revision for source in self._sources}

    @property
    def is_bare(self) -> bool:
        """Whether messages arrive without a forwarder's wrapper."""
        return self._wrapper is None

    @property
    def is_plain(self) -> bool:
        """Whether messages are lines as they were printed, with neither wrapper nor prefix."""
        return self._wrapper is None and not self._has_prefix

    def behind_prefix(self, message: Message) -> MessagePiece | None:
        """The line behind the prefix that the intake declares; None if it declares none, or if the message has none."""
        return behind_prefix(message) if self._has_prefix and not message.bare else None

    def index(self, kind: str, at_ms: int) -> str:
        """The index of a document of the intake's facility."""
        return self._schema.index(kind, self.intake.facility, at_ms)

    def decode(self, message: Message, ingested_ms: int) -> Outcomes:
        """Decode a message; `ingested_ms` (unix ms) is only stored, it affects nothing else."""
        if self._wrapper is None or message.bare or not canonical(message.data):
            return self._decode_unwrapped(message, ingested_ms)
        inner = unwrapped(message, self._wrapper)
        if isinstance(inner, Reject):
            return Outcomes(rejects=(inner,))
        outcomes = self._decode_unwrapped(inner, ingested_ms)
        rejects = tuple(replace(r, provenance=r.provenance or inner.provenance) for r in outcomes.rejects)
        return replace(outcomes, rejects=rejects, inner=inner)

    def _decode_unwrapped(self, message: Message, ingested_ms: int) -> Outcomes:
        """Decode what a wrapper contained; of several lines, each has a prefix of its own."""
        if self.intake.multiline and b"\n" in message.data:
            return self._decode_bounded(message, ingested_ms)
        return self._decode_behind_prefix(message, ingested_ms, self._decode_bounded)

    def _decode_behind_prefix(
        self, message: Message, ingested_ms: int, decode: Callable[[Message, int], Outcomes]
    ) -> Outcomes:
        """Decode the line behind the prefix that the intake declares; reject a line of ours that has none."""
        piece = self.behind_prefix(message)
        if piece is not None:
            outcomes = decode(piece.message, ingested_ms)
            return replace(outcomes, rejects=tuple(_in_message(reject, piece) for reject in outcomes.rejects))
        outcomes = decode(message, ingested_ms)
        is_fine = message.bare or not self._has_prefix or not (outcomes.documents or outcomes.rejects)
        return outcomes if is_fine else Outcomes(rejects=(without_prefix(message),))

    def _decode_bounded(self, message: Message, ingested_ms: int) -> Outcomes:
        """Decode a message whose wrapper and prefix are removed, or several lines with prefixes of their own.

        Return one reject instead if the output exceeds the size limit.
        """
        split = pieces(message, self.intake.multiline, self._reads_json, self._lists)
        if isinstance(split, Reject):
            return Outcomes(rejects=(split,))
        outcomes = self._decode_pieces(split, ingested_ms) if split else self._decode_piece(message, ingested_ms)
        most = most_output_bytes(len(message.data))
        written = output_bytes(outcomes, len(message.data))
        if written <= most:
            return outcomes
        return Outcomes(rejects=(self._too_much_output(outcomes, split, message, written),))

    def _decode_pieces(self, split: MessagePieces, ingested_ms: int) -> Outcomes:
        """Decode each piece independently; the message is ignored only if every piece is.

        Equal ignore reasons are reported once.
        """
        documents: list[Document] = []
        rejects: list[Reject] = []
        ignored: dict[Ignored, None] = {}
        for piece in split.pieces:
            outcomes = (
                self._decode_behind_prefix(piece.message, ingested_ms, self._decode_piece)
                if split.of == LINES
                else self._decode_piece(piece.message, ingested_ms)
            )
            documents += outcomes.documents
            rejects += (_in_message(reject, piece) for reject in outcomes.rejects)
            ignored |= dict.fromkeys(outcomes.ignored)
        is_blank = not (documents or rejects or ignored)
        return Outcomes(tuple(documents), tuple(rejects), (Ignored("blank"),) if is_blank else tuple(ignored))

    def _too_much_output(
        self, outcomes: Outcomes, split: MessagePieces | None, message: Message, written: int
    ) -> Reject:
        name = next((d.body["perf"]["source"] for d in outcomes.documents), None) or outcomes.rejects[0].source
        of = split.of if split else self.source(name).repeats if name else LINES
        what = (
            f"its {of} would become {written:,} bytes, more than {OUTPUT_FACTOR} times its {len(message.data):,} "
            f"plus {OUTPUT_EXTRA_BYTES:,}: send fewer together"
        )
        return Reject(TOO_MANY[of], what, message.data, None if split else name)

    def _decode_piece(self, message: Message, ingested_ms: int) -> Outcomes:
        raw = canonical(message.data)
        if not raw:
            return Outcomes(ignored=(Ignored("blank"),))
        if b"\0" in raw and utf16.is_likely(message.data):
            return self._in_utf16(raw, message)
        outcomes_by_source: list[SourceOutcomes] = []
        for source in self._sources:
            outcomes = self._decode_by(source, raw, message, ingested_ms)
            if outcomes.documents or is_declared_ignored(outcomes, source):
                return outcomes
            outcomes_by_source.append((source, outcomes))
        if not outcomes_by_source:
            return Outcomes(ignored=(Ignored("no_source"),))
        return outcomes if len(outcomes_by_source) == 1 else furthest(outcomes_by_source, raw)

    def _in_utf16(self, raw: bytes, message: Message) -> Outcomes:
        """Reject UTF-16 without a byte order mark, unless in UTF-8 it would be blank or somebody else's."""
        text = canonical(raw.replace(b"\0", b""))
        if not text:
            return Outcomes(ignored=(Ignored("blank"),))
        if all(is_foreign(source, text) for source in self._sources):
            return Outcomes(ignored=(Ignored("other"),))
        return Outcomes(rejects=(no_utf8(message),))

    def _decode_by(self, source: Source, raw: bytes, message: Message, ingested_ms: int) -> Outcomes:
        if is_foreign(source, raw):
            return Outcomes(ignored=(Ignored("other"),))
        shape = begun_shape(raw, source)
        if shape is not None:
            return Outcomes(ignored=(Ignored(shape),))
        if len(raw) > source.max_bytes:
            return too_long(source, raw, message)
        if message.glued:
            return self._decode_part(source, MessagePiece(message), ingested_ms)
        record = source.reader.read(raw)
        if isinstance(record, Mismatch):
            return self._decode_glued(source, message, ingested_ms) or classify(source, raw, message, record)
        return self._decode_record(record, source, message, ingested_ms)

    def _decode_glued(self, source: Source, message: Message, ingested_ms: int) -> Outcomes | None:
        """Decode each line of a glued message; None unless at least one yields a document.

        A line that cannot be read becomes a reject.
        """
        gate = source.gate
        if gate is None or gate.seam is None or not is_ours(gate, message.data):
            return None
        starts = seams(message.data, gate.seam, lambda text: is_torn(source.reader.read(canonical(text))))
        if not starts:
            return None
        spans = zip([0, *starts], [*starts, len(message.data)], strict=True)
        parts = [MessagePiece(part_of(message, start, end), 1, start) for start, end in spans]
        decoded = [self._decode_part(source, part, ingested_ms) for part in parts]
        documents = tuple(document for part in decoded for document in part.documents)
        return Outcomes(documents, tuple(reject for part in decoded for reject in part.rejects)) if documents else None

    def _decode_part(self, source: Source, piece: MessagePiece, ingested_ms: int) -> Outcomes:
        """Decode one line of a glued message."""
        part = piece.message
        raw = canonical(part.data)
        record = source.reader.read(raw)
        if isinstance(record, Mismatch):
            outcomes = mismatched(source, raw, part, record)
        elif ends_early(record, source):
            outcomes = mismatched(source, raw, part, torn_among_others(source, record))
        else:
            outcomes = self._decode_record(record, source, part, ingested_ms, (GLUED,))
        return replace(outcomes, rejects=tuple(_in_message(reject, piece) for reject in outcomes.rejects))

    def _decode_record(
        self, record: ParsedMessage, source: Source, message: Message, ingested_ms: int, flags: Sequence[str] = ()
    ) -> Outcomes:
        own = blocks_of(record, message) if source.repeats == BLOCKS else []
        number_of = documents_of(record, source)
        if not own and are_too_many(number_of, len(message.data)):
            return Outcomes(rejects=(too_many_documents(source, number_of, message),))
        documents: list[Document] = []
        rejects: list[Reject] = []
        ignored: list[Ignored] = []
        for number, event in enumerate(events_of(record, source)):
            shape = ignored_shape(event.values, source)
            if shape is not None:
                ignored.append(Ignored(shape))
                continue
            piece = own[number] if own else MessagePiece(message)
            raw = canonical(piece.message.data) if own else record.raw
            context = Context(source, self.intake, piece.message, self._sites)
            event.flags.extend(flags)
            try:
                apply_table(event, context)
                documents.append(self._document(event, context, raw, ingested_ms))
            except InvalidRecord as fault:
                reject = reject_of(fault, event, context, raw)
                rejects.append(_in_message(reject, piece) if own else reject)
        return Outcomes(tuple(documents), tuple(rejects), () if documents or rejects else tuple(ignored))

    def _document(self, event: EventBuilder, context: Context, raw: bytes, ingested_ms: int) -> Document:
        source = context.source
        at_ms = event.body.get("@timestamp")
        if at_ms is None:
            raise InvalidRecord("no_time", "the record names no time at which it happened")
        self._check_age(at_ms, context)
        body = self._bodies.body(event, context, ingested_ms)
        rank = max(event.rank, source.ranks.get(str(event.body.get(source.rank_field or "")), 0))
        return Document(
            index=self.index(source.kind, at_ms),
            id=identity(event, context, raw),
            version=version(rank, min(max(event.update_s, 0), LATEST_UPDATE_S), source.revision),
            body=body,
            text=body_json(body),
        )

    def _check_age(self, at_ms: int, context: Context) -> None:
        message, days = context.message, self.intake.max_age_days
        where = context.source.marks.value if context.source.marks else None
        if at_ms > message.record_time_ms + MS_PER_DAY:
            raise InvalidRecord("time_ahead", f"{iso(at_ms)} lies more than a day after it arrived", where, TIME_WORDS)
        if at_ms < EARLIEST_MS:
            raise InvalidRecord("time_range", "it happened before the year 2000", where, TIME_WORDS)
        if not message.backfill and at_ms < message.record_time_ms - days * MS_PER_DAY:
            detail = f"{iso(at_ms)} is older than {days} days and was not shipped as a backfill"
            raise InvalidRecord("time_too_old", detail, where, TIME_WORDS)


def _in_message(reject: Reject, piece: MessagePiece) -> Reject:
    """Return the reject with its line and byte counted from the start of the whole message."""
    line, byte = piece.line + reject.piece_line - 1, piece.byte + reject.piece_byte
    provenance = reject.provenance or piece.message.provenance
    return replace(reject, provenance=provenance, piece_line=line, piece_byte=byte)
