"""A revision that moves half of the sample's lines to another month and another run; and how the index stands."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from elasticsearch.helpers import scan

from ingest.core.flow import Flow
from ingest.core.model import Message, Record
from ingest.core.parse import Mismatch
from ingest.core.runmarks import RunKey, RunMark, gathered
from ingest.edge.elasticsearch.facts import WantedFacts
from ingest.run.knowledge import Knowledge
from ingest.run.sending_again import LinesReport, send_again
from tests.delivery.conftest import SAMPLES
from tests.delivery.deriving import RECEIVED_MS, visible
from tests.delivery.world import Documents, World

FEBRUARY_S = 29 * 86_400  # of 2016
LINES = SAMPLES.read_bytes().splitlines()


def is_moved(line: bytes) -> bool:
    """Whether the revision moves it: half of any lines."""
    return crc32(line) % 2 == 0


@dataclass(frozen=True)
class Moving:
    """Reads half of the lines as of March and of another run; the rest as ever."""

    reader: Any

    def read(self, raw: bytes) -> Record | Mismatch:
        """The record, moved or not."""
        found: Record | Mismatch = self.reader.read(raw)
        if isinstance(found, Mismatch) or not is_moved(raw):
            return found
        values = {**found.values, "RUN": f"{found.values['RUN']}-moved", "MONTH": "Mar"}
        items = tuple({**item, "VALUE": str(int(item["VALUE"]) + FEBRUARY_S)} for item in found.items)
        return replace(found, values=values, items=items)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reader, name)


def moved(world: World) -> Knowledge:
    """The shipped grammars, one revision on."""
    known = world.knowledge
    source = known.sources["als_perf"]
    changed = replace(source, reader=Moving(source.reader), revision=source.revision + 1)
    return replace(known, sources={**known.sources, "als_perf": changed})


def replayed(world: World, known: Knowledge | None = None, **chosen: Any) -> LinesReport:
    """Send what is stored of this world again."""
    wanted = WantedFacts(facilities=(world.facility,), **chosen)
    return send_again(world.settings, known or moved(world), wanted)


def facts(world: World) -> Documents:
    """The marks that are visible, without what tells of the copy."""
    return visible(world.facts())


def versions(world: World, kinds: str = "marks,runstate,stages,runs,writers") -> dict[tuple[str, str], tuple[int, int]]:
    """Version and sequence number of every document: nothing at all is written where they stay."""
    pattern = ",".join(f"perf-{kind}-{world.facility}*" for kind in kinds.split(","))
    world.client.indices.refresh(index=pattern)
    body = {"version": True, "seq_no_primary_term": True, "_source": False}
    return {
        (hit["_index"], hit["_id"]): (hit["_version"], hit["_seq_no"])
        for hit in scan(world.client, query=body, index=pattern, size=10_000)
    }


def sets_by(world: World, known: Knowledge, lines: Iterable[bytes]) -> dict[RunKey, dict[str, RunMark]]:
    """The marks of each run, as these grammars read the lines."""
    flow = Flow(world.settings.intake("lines"), known.sources, known.schema)
    found = [flow.outcomes(Message(line, RECEIVED_MS, backfill=True), 0) for line in lines]
    return gathered((d.id, d.version, d.body) for each in found for d in each.documents)
