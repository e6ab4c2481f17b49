"""One message -> its outcomes: documents, rejects, or ignored. The whole core behind one call.

Where several sources share an intake: document before reject before ignored; of several rejects the one whose source
read furthest. Nothing here raises, whatever the bytes.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ingest.core.clock import EARLIEST_MS, MS_PER_DAY, iso
from ingest.core.fields import Schema
from ingest.core.glued import halves, moved
from ingest.core.ids import digest_id, index_name, plain_id, version
from ingest.core.interpret import check, fill, turns
from ingest.core.model import Document, Ignored, Intake, Message, Outcomes, Problem, Record, Reject
from ingest.core.parse import Mismatch, canonical
from ingest.core.sources import Source
from ingest.core.turn import Context, Refused, Turn
from ingest.core.verdicts import is_foreign, is_torn, kept, mismatched, refusal_of, too_long, verdict
from ingest.core.wrappers import Wrapper, chosen, unwrapped

TIME_WORDS = "time not before 2000, not over a day ahead, not older than the intake allows"
GLUED, CAPTURED = "glued", "captured"


class Flow:
    """The core for one intake."""

    def __init__(
        self,
        intake: Intake,
        sources: Mapping[str, Source],
        schema: Schema,
        sites: Mapping[str, str] | None = None,
        wrappers: Mapping[str, Wrapper] | None = None,
    ) -> None:
        """Bind an intake to its sources and wrapper; `Problem` (78) when it names one that is not there."""
        missing = [name for name in intake.sources if name not in sources]
        if missing:
            known = ", ".join(sorted(sources))
            raise Problem(f"Intake {intake.name} names source `{missing[0]}`.", f"There are: {known}.", 78)
        self.intake = intake
        self._sources = [sources[name] for name in intake.sources]
        for source in self._sources:
            check(source)
        self._wrapper = chosen(intake.wrapper, wrappers or {}, intake.name)
        self._schema = schema
        self._sites = dict(sites or {})
        self._dates = {name for name, field in schema.fields.items() if field.type == "date"}
        self._paths = {name: tuple(name.split(".")) for name in schema.fields}

    @property
    def first(self) -> Source:
        """The source that is asked first."""
        return self._sources[0]

    def source(self, name: str) -> Source:
        """One of its sources."""
        return next(source for source in self._sources if source.name == name)

    @property
    def marking(self) -> tuple[str, ...]:
        """The names of its sources whose documents are marks."""
        return tuple(source.name for source in self._sources if source.kind == "marks")

    @property
    def revisions(self) -> dict[str, int]:
        """The revision of each source that may read it, by name."""
        return {source.name: source.revision for source in self._sources}

    @property
    def unwrapped(self) -> bool:
        """Whether messages come as they are, without a forwarder's wrapper."""
        return self._wrapper is None

    def period(self, kind: str) -> str:
        """The period of a kind's indices."""
        return self._schema.kinds[kind].period

    def outcomes(self, message: Message, ingested_ms: int) -> Outcomes:
        """What the message becomes; `ingested_ms` (unix ms) is written down and enters nothing else."""
        if self._wrapper is None or message.bare or not canonical(message.data):
            return self._outcomes(message, ingested_ms)
        inner = unwrapped(message, self._wrapper)
        if isinstance(inner, Reject):
            return Outcomes(rejects=(inner,))
        found = self._outcomes(inner, ingested_ms)
        told = tuple(replace(reject, provenance=inner.provenance) for reject in found.rejects)
        return replace(found, rejects=told, inner=inner)

    def _outcomes(self, message: Message, ingested_ms: int) -> Outcomes:
        raw = canonical(message.data)
        if not raw:
            return Outcomes(ignored=(Ignored("blank"),))
        best: Outcomes | None = None
        for source in self._sources:
            found = self._by(source, raw, message, ingested_ms)
            if found.documents:
                return found
            if best is None or standing(found) > standing(best):
                best = found
        return best or Outcomes(ignored=(Ignored("no_source"),))

    def _by(self, source: Source, raw: bytes, message: Message, ingested_ms: int) -> Outcomes:
        if is_foreign(source, raw):
            return Outcomes(ignored=(Ignored("other"),))
        if len(raw) > source.max_bytes:
            return too_long(source, raw, message)
        record = source.reader.read(raw)
        if isinstance(record, Mismatch):
            return self._glued(source, message, ingested_ms) or verdict(source, raw, message, record)
        return self._documents(record, source, message, ingested_ms, (GLUED,) if message.glued else ())

    def _glued(self, source: Source, message: Message, ingested_ms: int) -> Outcomes | None:
        """Two lines in one, each read as if it had come alone; None unless one of them reads. A bad half is refused."""
        gate = source.gate
        if gate is None or gate.seam is None or not kept(gate, message.data):
            return None
        parts = halves(message.data, gate.seam, lambda text: is_torn(source.reader.read(canonical(text))))
        if parts is None:
            return None
        second = replace(message, data=parts[1], provenance=moved(message.provenance, len(parts[0])))
        found = [self._half(source, half, ingested_ms) for half in (replace(message, data=parts[0]), second)]
        documents = found[0].documents + found[1].documents
        if not documents:
            return None
        ahead = len(parts[0].decode("utf-8", "replace"))
        rejects = [replace(reject, original=message.data) for reject in found[0].rejects]
        rejects += [replace(r, original=message.data, column=(r.column or 1) + ahead) for r in found[1].rejects]
        return Outcomes(documents, tuple(rejects))

    def _half(self, source: Source, half: Message, ingested_ms: int) -> Outcomes:
        raw = canonical(half.data)
        record = source.reader.read(raw)
        if isinstance(record, Mismatch):
            return mismatched(source, raw, half, record)
        return self._documents(record, source, half, ingested_ms, (GLUED,))

    def _documents(
        self, record: Record, source: Source, message: Message, ingested_ms: int, flags: Sequence[str] = ()
    ) -> Outcomes:
        raw = record.raw
        context = Context(source, self.intake, message, self._sites)
        documents: list[Document] = []
        rejects: list[Reject] = []
        for turn in turns(record, source):
            turn.flags.extend(flags)
            try:
                fill(turn, context)
                documents.append(self._document(turn, context, raw, ingested_ms))
            except Refused as refusal:
                rejects.append(refusal_of(refusal, turn, context, raw))
        return Outcomes(tuple(documents), tuple(rejects))

    def _document(self, turn: Turn, context: Context, raw: bytes, ingested_ms: int) -> Document:
        source = context.source
        at_ms = turn.body.get("@timestamp")
        if at_ms is None:
            raise Refused("no_time", "the record names no time at which it happened")
        self._check_age(at_ms, context)
        kind = self._schema.kinds[source.kind]
        body = self._body(turn, context, ingested_ms)
        rank = max(turn.rank, source.ranks.get(str(turn.body.get(source.rank_field or "")), 0))
        return Document(
            index=index_name(kind.name, self.intake.facility, kind.period, at_ms),
            id=_identity(turn, context, raw),
            version=version(rank, 0, source.revision),
            body=body,
        )

    def _check_age(self, at_ms: int, context: Context) -> None:
        message, days = context.message, self.intake.max_age_days
        where = context.source.marks.value if context.source.marks else None
        if at_ms > message.record_time_ms + MS_PER_DAY:
            raise Refused("time_ahead", f"{iso(at_ms)} lies more than a day after it arrived", where, TIME_WORDS)
        if at_ms < EARLIEST_MS:
            raise Refused("time_range", "it happened before the year 2000", where, TIME_WORDS)
        if not message.backfill and at_ms < message.record_time_ms - days * MS_PER_DAY:
            told = f"{iso(at_ms)} is older than {days} days and was not shipped as a backfill"
            raise Refused("time_too_old", told, where, TIME_WORDS)

    def _body(self, turn: Turn, context: Context, ingested_ms: int) -> dict[str, Any]:
        message, provenance = context.message, context.message.provenance
        flat = {
            **original_fields(message.data),
            "event.created": message.record_time_ms,
            "event.ingested": ingested_ms,
            "host.name": provenance.host,
            "log.file.path": provenance.path,
            "log.offset": provenance.offset_bytes,
            "provenance.kafka": provenance.kafka,
            "provenance.captured": provenance.captured_ms if CAPTURED in context.source.identity else None,
            "perf.facility": self.intake.facility,
            "perf.source": context.source.name,
            "perf.workflow": self.intake.workflow if context.source.kind == "marks" else None,
            "perf.flags": sorted(set(turn.flags)) or None,
            **turn.body,
        }
        body: dict[str, Any] = {}
        for name, value in flat.items():
            if value is not None:
                _put(body, self._paths[name], _date(name, value) if name in self._dates else value)
        return body


def original_fields(data: bytes) -> dict[str, str]:
    """The fields that keep a message's bytes: event.original, and event.original_b64 where it was not valid UTF-8."""
    try:
        return {"event.original": data.decode("utf-8")}
    except UnicodeDecodeError:
        kept = b64encode(data).decode("ascii")
        return {"event.original": data.decode("utf-8", "replace"), "event.original_b64": kept}


def _date(name: str, ms: int) -> str:
    try:
        return iso(ms)
    except (ValueError, OverflowError) as error:
        raise Refused("stamp", f"{name} lies outside the years 1 to 9999") from error


def _put(body: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for step in path[:-1]:
        body = body.setdefault(step, {})
    body[path[-1]] = value


def _identity(turn: Turn, context: Context, raw: bytes) -> str:
    named = context.source.identity
    parts = {
        "facility": context.intake.facility,
        "bytes": raw,
        "ordinal": str(turn.ordinal),
        "captured": context.message.provenance.captured_ms,
    }
    found = [parts[word] if word in parts else turn.body.get(word) for word in named]
    if None in found:
        lacking = named[found.index(None)]
        raise Refused("identity", f"its identity needs {lacking}, which it does not have")
    if len(named) == 1:
        try:
            return plain_id(str(found[0]))
        except ValueError as error:
            raise Refused("identity", str(error)) from error
    return digest_id(*(part if isinstance(part, bytes) else str(part).encode() for part in found))


def standing(outcomes: Outcomes) -> tuple[bool, int, int]:
    """How far a source came with a message: rejects before ignored, then by line and column."""
    if not outcomes.rejects:
        return (False, 0, 0)
    furthest = max(
        (reject.line, 0 if reject.reason == "shape" else reject.column or 10**6) for reject in outcomes.rejects
    )
    return (True, *furthest)
