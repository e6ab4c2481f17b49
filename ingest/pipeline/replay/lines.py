"""Puts stored lines together again as they arrived: bytes, origin, record time, and the documents made of them.

Documents of the same line that are on one page make one line. If they are on different pages, the line is sent once for
each page, which costs a little and changes nothing. A line's intake follows from its origin (the topic in its
provenance), its facility and source, and the settings; never from the content of the line.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ingest.config.settings import Settings
from ingest.core.cache import Cache
from ingest.core.decode.bodies import CAPTURED, original_of
from ingest.core.decode.decoder import GLUED
from ingest.core.decode.fast_routing import ORIGINS
from ingest.core.ids import revision_of
from ingest.core.model import Intake, Message, Provenance
from ingest.core.replay.stored_line import DocumentVersion, StoredLine, version_of_document
from ingest.core.sources.event import CAPTURED as TIME_CAPTURED
from ingest.core.sources.source import Source
from ingest.core.timestamps import of_iso
from ingest.edge.elasticsearch.facts import FactIndex, FactQuery, StoredFact
from ingest.pipeline.replay.prefetch import prefetch

NO_INTAKE = "no intake in the settings has its facility and source"
NO_CAPTURE = "its source identifies lines by capture time, which was not stored"
_NOTHING: Mapping[str, Any] = {}
Progress = Callable[[int, int], None]


class StoredFileLine(NamedTuple):
    """A stored line.

    Attributes:
        stored_line: what its replayed record says of it; its document versions are in the order of `bodies`.
        bodies: the documents that were made of it; None for a retracted one.
    """

    intake: Intake
    data: bytes
    origin: Provenance
    stored_line: StoredLine
    bodies: tuple[Mapping[str, Any] | None, ...]

    @property
    def message(self) -> Message:
        """The line as a message for the decoder."""
        return Message(self.data, self.stored_line.created_ms, self.origin, True, True, self.stored_line.glued)


@dataclass(slots=True)
class LeftOut:
    """Documents whose line cannot be put together again, counted by reason."""

    out: dict[str, int] = field(default_factory=dict)

    def add(self, why: str) -> None:
        """Count one document."""
        self.out[why] = self.out.get(why, 0) + 1


def lines(
    facts: FactIndex, query: FactQuery, assembler: "Assembler", progress: Progress = lambda _done, _of: None
) -> Iterator[list[StoredFileLine]]:
    """Yield the selected lines, page by page; `progress` is called with the documents done and their total."""
    done, total = 0, facts.count(query)
    progress(done, total)
    for page in prefetch(facts.pages(query)):
        yield assembler.lines(page)
        done += len(page)
        progress(done, total)


class Assembler:
    """Puts lines together. `left` counts failures by reason; `newest`: the newest revision by facility and source."""

    def __init__(self, settings: Settings, sources: Mapping[str, Source]) -> None:
        """Bind the settings' intakes and the current sources."""
        self._intakes = list(settings.intakes.values())
        self._sources = sources
        self._chosen: dict[tuple[str, str, str, str | None], Intake | None] = {}
        self.left = LeftOut()
        self.newest: dict[tuple[str, str], int] = {}
        self._created = Cache(of_iso)
        self._origins: Cache[tuple[str | None, str | None, int | None], Provenance] = Cache(
            lambda key: Provenance(host=key[0], path=key[1], captured_ms=key[2]), ORIGINS
        )

    def lines(self, page: Sequence[StoredFact]) -> list[StoredFileLine]:
        """The lines of a page, sorted so that lines of one origin are adjacent."""
        groups: dict[tuple[Any, ...], list[StoredFact]] = {}
        for fact in page:
            self._note_revision(fact)
            event = fact.body.get("event", {})
            if "original" not in event or not self._is_replayable(fact):
                continue  # a tombstone: superseded by another document, or read by the current revision already
            key = (event["original"], event.get("original_b64"), self._captured_ms(fact.body))
            groups.setdefault(key, []).append(fact)
        page_lines = [line for key, group in groups.items() if (line := self._line(group, key[2])) is not None]
        return sorted(page_lines, key=lambda line: (line.intake.name, line.origin.host or "", line.origin.path or ""))

    def _note_revision(self, fact: StoredFact) -> None:
        key, revision = (fact.body["perf"]["facility"], fact.body["perf"]["source"]), revision_of(fact.version)
        if revision > self.newest.get(key, 0):
            self.newest[key] = revision

    def _is_replayable(self, fact: StoredFact) -> bool:
        perf = fact.body["perf"]
        source = self._sources.get(perf["source"])
        return not perf.get("retracted") or (source is not None and source.revision > revision_of(fact.version))

    def _line(self, group: Sequence[StoredFact], captured_ms: int | None) -> StoredFileLine | None:
        body = group[0].body
        intake = self._intake(body)
        source = self._sources.get(body["perf"]["source"])
        log: Mapping[str, Any] = body.get("log", _NOTHING)
        origin = self._origins[
            body.get("host", _NOTHING).get("name"), log.get("file", _NOTHING).get("path"), captured_ms
        ]
        lacks_capture_time = source is not None and CAPTURED in source.identity and origin.captured_ms is None
        if intake is None or lacks_capture_time:
            for _ in group:
                self.left.add(NO_INTAKE if intake is None else NO_CAPTURE)
            return None
        stored_line = StoredLine(
            self._created[body["event"]["created"]],
            log.get("offset"),
            GLUED in body["perf"].get("flags", ()),
            tuple(map(_document_version, group)),
        )
        bodies = tuple(None if fact.body["perf"].get("retracted") else fact.body for fact in group)
        return StoredFileLine(intake, original_of(body), origin, stored_line, bodies)

    def _captured_ms(self, body: Mapping[str, Any]) -> int | None:
        """When the shipper captured the line: its `@timestamp` if the line has no time of its own."""
        captured = body.get("provenance", _NOTHING).get("captured")
        if captured is None and TIME_CAPTURED in body["perf"].get("flags", ()):
            captured = body["@timestamp"]
        return None if captured is None else of_iso(captured)

    def _intake(self, body: Mapping[str, Any]) -> Intake | None:
        perf = body["perf"]
        topic = body.get("provenance", _NOTHING).get("kafka", "").partition("/")[0]
        key = (topic, perf["facility"], perf["source"], perf.get("workflow"))
        if key not in self._chosen:
            self._chosen[key] = chosen(self._intakes, *key)
        return self._chosen[key]


def chosen(intakes: Sequence[Intake], topic: str, facility: str, source: str, workflow: str | None) -> Intake | None:
    """The intake that a fact came through: of its facility and source, preferably of its topic and workflow too."""
    candidates = [intake for intake in intakes if intake.facility == facility and source in intake.sources]
    return max(candidates, key=lambda intake: (intake.topic == topic, intake.workflow == workflow), default=None)


def _document_version(fact: StoredFact) -> DocumentVersion:
    return version_of_document(fact.index, fact.id, fact.version, fact.body)
