"""Reads the stored lines with other grammars in memory and compares the result with the stored documents by field.

The shadow documents live only as long as the comparison: nothing is written, so no index is touched and any number of
lines needs no space. Rejected messages that the index keeps are read too: if they become documents, they count as lines
that only the new reading reads.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from ingest.config.settings import Settings
from ingest.core.decode.bodies import original_of
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
    """Reads lines with other grammars, intake by intake."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        """Bind the settings and the registry of the other grammars."""
        self._settings, self._registry = settings, registry
        self._decoders: dict[str, Decoder] = {}
        self.differences = Differences(registry.schema)

    def compare(self, line: StoredFileLine) -> None:
        """Compare a stored line."""
        outcomes = self._read(line.intake, line.message)
        old = {
            version.id: (version.index, body)
            for version, body in zip(line.stored_line.previous, line.bodies, strict=True)
            if body is not None
        }
        self.differences.add(line.data, old, _bodies(outcomes), _why(outcomes))

    def compare_reject(self, reject: StoredReject) -> None:
        """Compare a rejected message; if it was one of two glued lines, the whole of it."""
        intake = self._settings.intakes.get(reject.value("perf.intake") or "")
        if intake is None or reject.value("event.original") is None:
            return
        data = original_of(reject.body)
        origin = Provenance(host=reject.value("host.name"), path=reject.value("log.file.path"))
        # Nothing says whether it was a backfill: assume so, unless it was rejected for not being one.
        backfill = reject.value("error.type") != TOO_OLD
        message = Message(data, iso_ms(reject.value("event.created")), origin, backfill, bare=True)
        outcomes = self._read(intake, message)
        if outcomes.documents and not outcomes.rejects:
            self.differences.add(data, {}, _bodies(outcomes))

    def _read(self, intake: Intake, message: Message) -> Outcomes:
        decoder = self._decoders.get(intake.name)
        if decoder is None:
            registry = self._registry
            decoder = Decoder(intake, registry.sources, registry.schema, self._settings.sites, registry.wrappers)
            self._decoders[intake.name] = decoder
        return decoder.decode(message, 0)


def shadow(
    settings: Settings, registry: Registry, query: FactQuery, progress: Progress = lambda _done, _of: None
) -> tuple[Differences, Mapping[str, int]]:
    """Read the selected lines; return the differences, and the documents that could not be read again, by reason.

    Raises `Problem` (69) when Elasticsearch does not answer.
    """
    comparison = Shadow(settings, registry)
    assembler = Assembler(settings, registry.sources)
    with open_facts(settings.elasticsearch) as stored:
        for page_lines in lines(stored, query, assembler, progress):
            for line in page_lines:
                comparison.compare(line)
    if not query.runs:  # a rejected line has none
        for reject in _rejects(settings, query):
            comparison.compare_reject(reject)
    return comparison.differences, assembler.left.out


def _rejects(settings: Settings, query: FactQuery) -> Iterator[StoredReject]:
    """The rejects of the same facilities, sources, files and time (for a reject: its record's time)."""
    selection = RejectQuery(
        facilities=query.facilities, sources=query.sources, since_ms=query.since_ms, until_ms=query.until_ms
    )
    with open_rejects(settings.elasticsearch) as rejects:
        for reject in rejects.scan(selection):
            path = reject.value("log.file.path") or ""
            if not query.files or any(_is_like(path, file) for file in query.files):
                yield reject


def _is_like(path: str, pattern: str) -> bool:
    """Whether a path matches a pattern in which `*` stands for anything."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), path) is not None


def _bodies(outcomes: Outcomes) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """The documents by id, as they would be stored."""
    return {document.id: (document.index, orjson.loads(document.json)) for document in outcomes.documents}


def _why(outcomes: Outcomes) -> str:
    if outcomes.rejects:
        return f"{outcomes.rejects[0].reason}: {outcomes.rejects[0].detail}"
    return NO_LINE_OF_OURS if outcomes.ignored else ""
