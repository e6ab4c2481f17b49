"""A revision that moves half of the sample's lines to another month and run; and the versions in the index."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

from elasticsearch.helpers import scan

from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import Registry, load_registry
from ingest.core.mark import RunKey, RunMark
from ingest.core.model import Message, ParsedMessage
from ingest.core.sources.readers import Mismatch
from ingest.core.sources.source import Flag
from ingest.edge.elasticsearch.facts import FactQuery
from ingest.pipeline.replay.resend import LinesReport, resend
from tests.support.derivation import RECEIVED_MS, visible
from tests.support.marks import marks_by_run
from tests.support.revisions import raise_revision
from tests.support.world import Documents, World, copied_grammars
from tests.support.worlds import SAMPLES

FEBRUARY_S = 29 * 86_400  # of 2016
LINES = SAMPLES.read_bytes().splitlines()


def is_moved(line: bytes) -> bool:
    """Whether the revision moves it: half of any lines."""
    return crc32(line) % 2 == 0


@dataclass(frozen=True)
class Moving:
    """Reads half of the lines as of March and of another run; the rest as ever."""

    reader: Any

    def read(self, raw: bytes) -> ParsedMessage | Mismatch:
        """The record, moved or not."""
        parsed: ParsedMessage | Mismatch = self.reader.read(raw)
        if isinstance(parsed, Mismatch) or not is_moved(raw):
            return parsed
        values = {**parsed.values, "RUN": f"{parsed.values['RUN']}-moved", "MONTH": "Mar"}
        items = tuple({**item, "VALUE": str(int(item["VALUE"]) + FEBRUARY_S)} for item in parsed.items)
        return replace(parsed, values=values, items=items)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reader, name)


@dataclass(frozen=True)
class Refusing(Moving):
    """Refuses half of the lines."""

    def read(self, raw: bytes) -> ParsedMessage | Mismatch:
        """The record, or why not."""
        return Mismatch("syntax", "not any more", 1, 1) if is_moved(raw) else self.reader.read(raw)


def raised(world: World, by: int = 1, reader: type[Moving] | None = None) -> Registry:
    """The shipped grammars, so many revisions on, and read by another reader."""
    registry = world.knowledge
    source = registry.sources["als_perf"]
    changed = replace(source, revision=source.revision + by)
    changed = changed if reader is None else replace(changed, reader=reader(source.reader))
    return replace(registry, sources={**registry.sources, "als_perf": changed})


def moved(world: World) -> Registry:
    """The revision that moves half of the lines."""
    return raised(world, reader=Moving)


def refusing(world: World) -> Registry:
    """A revision that refuses half of them."""
    return raised(world, reader=Refusing)


def halved(world: World) -> Registry:
    """Grammars of the next revision, in which a run id is the number before the dash: runs change, months do not."""
    return load_registry(halved_grammars(world.folder))


def halved_grammars(folder: Path) -> Path:
    """Their folder."""
    grammars = copied_grammars(folder)
    for name, old, new in (
        ("grammar.lark", "RUN: /[^:\\x00-\\x20]+/", "RUN: /[0-9]+/\n_RUN_END: /-[0-9]+/"),
        ("grammar.lark", "COLON [RUN] TAG_COLON", "COLON [RUN _RUN_END] TAG_COLON"),
    ):
        path = grammars / "als_perf" / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
    raise_revision(grammars / "als_perf")
    return grammars


def replayed(world: World, registry: Registry | None = None, dry_run: bool = False, **chosen: Any) -> LinesReport:
    """Send the stored lines of this world again."""
    query = FactQuery(facilities=(world.facility,), **chosen)
    return resend(world.settings, registry or moved(world), query, dry_run=dry_run)


def facts(world: World) -> Documents:
    """The marks that are visible, without the provenance of the copy."""
    return visible(world.facts())


def versions(world: World, kinds: str = "marks,runstate,stages,runs,writers") -> dict[tuple[str, str], tuple[int, int]]:
    """Version and sequence number of every document; both stay the same where nothing is written."""
    pattern = ",".join(f"perf-{kind}-{world.facility}*" for kind in kinds.split(","))
    world.client.indices.refresh(index=pattern)
    body = {"version": True, "seq_no_primary_term": True, "_source": False}
    return {
        (hit["_index"], hit["_id"]): (hit["_version"], hit["_seq_no"])
        for hit in scan(world.client, query=body, index=pattern, size=10_000)
    }


def sets_by(world: World, registry: Registry, lines: Iterable[bytes]) -> dict[RunKey, dict[str, RunMark]]:
    """The marks of each run, as these grammars read the lines."""
    decoder = Decoder(world.settings.intake("lines"), registry.sources, registry.schema)
    outcomes = [decoder.decode(Message(line, RECEIVED_MS, backfill=True), 0) for line in lines]
    return marks_by_run(document for outcome in outcomes for document in outcome.documents)


# What revision 2 read otherwise: printed 29 minutes late, and an hour and five seconds; and what it reads alike.
LATE_LINES = [
    b"Fri Jul 1 13:29:05 PDT 2016: s.sh:32:1-2:PERF:SUBMIT_NORM:START_DATE=1467403200",
    b"Fri Jul 1 11:10:05 HST 2016: s.sh:33:1-2:PERF:SUBMIT_ROT:START_DATE=1467403800",
    b"Fri Feb 5 21:39:38 PST 2016: s.sh:32:1-3:PERF:SUBMIT_NORM:START_DATE=1454737177",
]


def mending(world: World) -> Registry:
    """Grammars whose documents of LATE_LINES are those of revision 2, which mended zones that it thought wrong.

    A zone as it was mended, the flag, and bounds that no mended lag left.
    """
    registry = world.knowledge
    source = registry.sources["als_perf"]
    assert source.stamp is not None
    zones = {**source.stamp.zones, "PDT": -25_200 + 1800, "HST": -36_000 + 3600}
    stamp = replace(source.stamp, zones=zones, earliest_lag_s=-120)
    flags = (*source.flags, Flag("zone_fault", "ZONE", "PST"))
    old = replace(source, revision=2, stamp=stamp, flags=flags)
    return replace(registry, sources={**registry.sources, "als_perf": old})
