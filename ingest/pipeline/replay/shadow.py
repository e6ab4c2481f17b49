"""What other grammars would make of the stored lines: read in memory beside what is stored, compared by field.

The shadow documents live no longer than it takes to compare them: nothing is written anywhere, so no index, live or
other, is touched, and any number of lines needs no room. Refused messages that the index keeps are read too: those
that become documents are lines that only the new reading reads.
"""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from ingest.config.settings import Settings
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import Registry
from ingest.core.model import Intake, Message, Outcomes, Provenance
from ingest.core.replay.diff import Differences
from ingest.core.timestamps import iso_ms
from ingest.edge.elasticsearch.facts import FactQuery, open_facts
from ingest.edge.elasticsearch.rejects import RejectQuery, StoredReject, open_rejects
from ingest.pipeline.replay.lines import Assembler, Progress, StoredFileLine, lines

NO_LINE_OF_OURS = "ignored: not one of its lines"
TOO_OLD = "time_too_old"


class Shadow:
    """Reads lines by other grammars, intake by intake."""

    def __init__(self, settings: Settings, known: Registry) -> None:
        """Bind the settings and those grammars."""
        self._settings, self._known = settings, known
        self._flows: dict[str, Decoder] = {}
        self.found = Differences(known.schema)

    def compare(self, line: StoredFileLine) -> None:
        """A stored line."""
        outcomes = self._read(line.intake, line.message)
        old = {
            edition.id: (edition.index, body)
            for edition, body in zip(line.told.formers, line.bodies, strict=True)
            if body is not None
        }
        self.found.add(line.data, old, _bodies(outcomes), _why(outcomes))

    def compare_refused(self, reject: StoredReject) -> None:
        """A message that was refused; of two that were glued, the whole of it."""
        intake = self._settings.intakes.get(reject.told("perf.intake") or "")
        text, encoded = reject.told("event.original"), reject.told("event.original_b64")
        if intake is None or text is None:
            return
        data = b64decode(encoded) if encoded else text.encode()
        origin = Provenance(host=reject.told("host.name"), path=reject.told("log.file.path"))
        # Nothing tells whether it was a backfill: it is taken for one, unless it was refused for not being one.
        backfill = reject.told("error.type") != TOO_OLD
        message = Message(data, iso_ms(reject.told("event.created")), origin, backfill, bare=True)
        outcomes = self._read(intake, message)
        if outcomes.documents and not outcomes.rejects:
            self.found.add(data, {}, _bodies(outcomes))

    def _read(self, intake: Intake, message: Message) -> Outcomes:
        flow = self._flows.get(intake.name)
        if flow is None:
            flow = Decoder(intake, self._known.sources, self._known.schema, self._settings.sites, self._known.wrappers)
            self._flows[intake.name] = flow
        return flow.outcomes(message, 0)


def shadow(
    settings: Settings, known: Registry, wanted: FactQuery, progress: Progress = lambda _done, _of: None
) -> tuple[Differences, Mapping[str, int]]:
    """Read the lines of the facts that are meant; what differs, and what could not be read again (why, documents).

    Raises `Problem` (69) when Elasticsearch does not answer.
    """
    made = Shadow(settings, known)
    assembler = Assembler(settings, known.sources)
    with open_facts(settings.elasticsearch) as stored:
        for some in lines(stored, wanted, assembler, progress):
            for line in some:
                made.compare(line)
    if not wanted.runs:  # a refused line has none
        for reject in _refused(settings, wanted):
            made.compare_refused(reject)
    return made.found, assembler.left.out


def _refused(settings: Settings, wanted: FactQuery) -> Iterator[StoredReject]:
    """The rejects of the same facilities, sources, files and time (of a reject that is its record's)."""
    meant = RejectQuery(
        facilities=wanted.facilities, sources=wanted.sources, since_ms=wanted.since_ms, until_ms=wanted.until_ms
    )
    with open_rejects(settings.elasticsearch) as known:
        for reject in known.each(meant):
            path = reject.told("log.file.path") or ""
            if not wanted.files or any(_is_like(path, file) for file in wanted.files):
                yield reject


def _is_like(path: str, file: str) -> bool:
    """Whether a path is the one that is meant, in which `*` stands for anything."""
    return re.fullmatch(re.escape(file).replace(r"\*", ".*"), path) is not None


def _bodies(outcomes: Outcomes) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """As they would be stored."""
    return {each.id: (each.index, orjson.loads(each.json)) for each in outcomes.documents}


def _why(outcomes: Outcomes) -> str:
    if outcomes.rejects:
        return f"{outcomes.rejects[0].reason}: {outcomes.rejects[0].detail}"
    return NO_LINE_OF_OURS if outcomes.ignored else ""
