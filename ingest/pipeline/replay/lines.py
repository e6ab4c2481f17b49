"""Lines as they are stored, put together again as they came: bytes, origin, record time, and what was made of them.

The documents of one line that a page holds together make one line; those that lie further apart make it once more,
which costs a little and changes nothing. Where a line goes follows from where it came from (the topic in its
provenance), its facility and its source, and from the settings: never from what it says.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ingest.config.settings import Settings
from ingest.core.cache import Cache
from ingest.core.decode.bodies import CAPTURED
from ingest.core.decode.decoder import GLUED
from ingest.core.decode.fast_routing import ORIGINS
from ingest.core.ids import revision_of
from ingest.core.model import Intake, Message, Provenance
from ingest.core.replay.stored_line import DocumentVersion, StoredLine, version_of_document
from ingest.core.sources.event import CAPTURED as TIME_CAPTURED
from ingest.core.sources.source import Source
from ingest.core.timestamps import of_iso
from ingest.edge.elasticsearch.facts import FactIndex, FactQuery, StoredFact
from ingest.pipeline.replay.prefetch import fetched_ahead

NO_INTAKE = "no intake of the settings is of its facility and source"
NO_CAPTURE = "its source identifies by the time of capture, which it does not tell"
_NOTHING: Mapping[str, Any] = {}
Progress = Callable[[int, int], None]


class StoredFileLine(NamedTuple):
    """A line that is stored.

    Attributes:
        told: what its record tells of it when it is sent again; the editions are in the order of `bodies`.
        bodies: the documents that were made of it; None for one that was retracted.
    """

    intake: Intake
    data: bytes
    origin: Provenance
    told: StoredLine
    bodies: tuple[Mapping[str, Any] | None, ...]

    @property
    def message(self) -> Message:
        """As the core reads it."""
        return Message(self.data, self.told.created_ms, self.origin, True, True, self.told.glued)


@dataclass(slots=True)
class LeftOut:
    """What cannot be put together again: why -> how many documents."""

    out: dict[str, int] = field(default_factory=dict)

    def add(self, why: str) -> None:
        """One more."""
        self.out[why] = self.out.get(why, 0) + 1


def lines(
    known: FactIndex, wanted: FactQuery, assembler: "Assembler", progress: Progress = lambda _done, _of: None
) -> Iterator[list[StoredFileLine]]:
    """The lines of the facts that are meant, page by page; `progress` hears how many documents are done, of all."""
    done, of = 0, known.count(wanted)
    progress(done, of)
    for page in fetched_ahead(known.pages(wanted)):
        yield assembler.lines(page)
        done += len(page)
        progress(done, of)


class Assembler:
    """Puts lines together; `left` holds what could not be; `newest` by facility and source the newest revision seen."""

    def __init__(self, settings: Settings, sources: Mapping[str, Source]) -> None:
        """Bind the settings' intakes and the sources as they are now."""
        self._intakes = list(settings.intakes.values())
        self._sources = sources
        self._chosen: dict[tuple[str, str, str, str | None], Intake | None] = {}
        self.left = LeftOut()
        self.newest: dict[tuple[str, str], int] = {}
        self._created = Cache(of_iso)
        self._origins = Cache(lambda told: Provenance(host=told[0], path=told[1], captured_ms=told[2]), ORIGINS)

    def lines(self, page: Sequence[StoredFact]) -> list[StoredFileLine]:
        """The lines of a page; those of one origin follow one another."""
        groups: dict[tuple[Any, ...], list[StoredFact]] = {}
        for fact in page:
            self._hear(fact)
            event = fact.body.get("event", {})
            if "original" not in event or not self._of_use(fact):
                continue  # the tombstone of what has a successor, or of what nobody reads differently today
            key = (event["original"], event.get("original_b64"), self._captured_ms(fact.body))
            groups.setdefault(key, []).append(fact)
        found = [line for key, group in groups.items() if (line := self._line(group, key[2])) is not None]
        return sorted(found, key=lambda line: (line.intake.name, line.origin.host or "", line.origin.path or ""))

    def _hear(self, fact: StoredFact) -> None:
        place, revision = (fact.body["perf"]["facility"], fact.body["perf"]["source"]), revision_of(fact.version)
        if revision > self.newest.get(place, 0):
            self.newest[place] = revision

    def _of_use(self, fact: StoredFact) -> bool:
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
        lacking = source is not None and CAPTURED in source.identity and origin.captured_ms is None
        if intake is None or lacking:
            for _ in group:
                self.left.add(NO_INTAKE if intake is None else NO_CAPTURE)
            return None
        event = body["event"]
        encoded = event.get("original_b64")
        told = StoredLine(
            self._created[event["created"]],
            log.get("offset"),
            GLUED in body["perf"].get("flags", ()),
            tuple(map(_edition, group)),
        )
        bodies = tuple(None if fact.body["perf"].get("retracted") else fact.body for fact in group)
        return StoredFileLine(
            intake, b64decode(encoded) if encoded else event["original"].encode(), origin, told, bodies
        )

    def _captured_ms(self, body: Mapping[str, Any]) -> int | None:
        """When its shipper took it: its own time where it has no other."""
        told = body.get("provenance", _NOTHING).get("captured")
        if told is None and TIME_CAPTURED in body["perf"].get("flags", ()):
            told = body["@timestamp"]
        return None if told is None else of_iso(told)

    def _intake(self, body: Mapping[str, Any]) -> Intake | None:
        perf = body["perf"]
        topic = body.get("provenance", _NOTHING).get("kafka", "").partition("/")[0]
        key = (topic, perf["facility"], perf["source"], perf.get("workflow"))
        if key not in self._chosen:
            self._chosen[key] = chosen(self._intakes, *key)
        return self._chosen[key]


def chosen(intakes: Sequence[Intake], topic: str, facility: str, source: str, workflow: str | None) -> Intake | None:
    """The intake that a fact came through: of its facility and source, best of its topic and workflow too."""
    able = [intake for intake in intakes if intake.facility == facility and source in intake.sources]
    return max(able, key=lambda intake: (intake.topic == topic, intake.workflow == workflow), default=None)


def _edition(fact: StoredFact) -> DocumentVersion:
    return version_of_document(fact.index, fact.id, fact.version, fact.body)
