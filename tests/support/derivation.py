"""Helpers of tests of derivation: the documents that the core derives from all lines at once, and the stored ones."""

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

from ingest.core.decode.decoder import Decoder
from ingest.core.mark import RunKey, RunMark
from ingest.core.model import Document, Message, Provenance
from ingest.core.records.updates import BatchUpdates
from ingest.core.runs.derive import derive, documents
from ingest.core.runs.state import RunState, with_marks
from ingest.synthetic.workload.generator import messages
from ingest.synthetic.workload.truth import Shares, Workload
from tests.support.marks import marks_by_run
from tests.support.world import Documents, World

RECEIVED_MS = 1_790_000_000_000
MIXED = Shares(
    parallel=0.2, retried=0.2, stuck=0.1, late=0.2, skewed=0.1, with_ends=0.3, headless=0.1, tailless=0.1, reused=0.3,
    torn=0.02, glued=0.02, repeated=0.05,
)  # fmt: skip


def lines_of(seed: int, lines: int, shares: Shares = MIXED) -> list[bytes]:
    """Generated lines in the order of arrival."""
    return [made.data for made in messages(Workload(seed, lines, shares=shares))]


def mixed(rng: Random, lines: Sequence[bytes], again: float = 0.1) -> list[bytes]:
    """The lines in any order, some of them twice."""
    shuffled = [*lines, *(line for line in lines if rng.random() < again)]
    rng.shuffle(shuffled)
    return shuffled


def facts_of(world: World, lines: Iterable[bytes]) -> list[Document]:
    """The documents of kind marks."""
    registry = world.knowledge
    decoder = Decoder(world.settings.intake("lines"), registry.sources, registry.schema)
    origin = Provenance("beamline", "/x.log")
    return [
        document
        for line in lines
        for document in decoder.decode(Message(line, RECEIVED_MS, origin, backfill=True), 0).documents
    ]


def sets_of(world: World, lines: Iterable[bytes]) -> dict[RunKey, dict[str, RunMark]]:
    """The marks of each run."""
    return marks_by_run(facts_of(world, lines))


def batch_of(facts: Iterable[Document], record_ms: int = RECEIVED_MS) -> BatchUpdates:
    """Facts as a batch."""
    updates = BatchUpdates()
    for document in facts:
        updates.add_document(document, record_ms, True)
    return updates


def at_once(world: World, sets: Mapping[RunKey, Mapping[str, RunMark]], watermark_ms: int | None = None) -> Documents:
    """Stages and runs that the core derives from the whole sets."""
    derived: Documents = {}
    for key, marks in sets.items():
        state = with_marks(RunState(key, watermark_ms=watermark_ms), marks.values())
        for document in documents(derive(state), world.knowledge.schema):
            derived[document.index, document.id] = document.body
    return visible(derived)


def visible(stored: Documents) -> Documents:
    """The documents without tombstones."""
    return {doc_ref: body for doc_ref, body in stored.items() if not body["perf"].get("retracted")}


def derived_documents(world: World) -> Documents:
    """The stored stages and runs without tombstones."""
    return visible(everything(world))


def everything(world: World) -> Documents:
    """The stored stages and runs with tombstones."""
    return world.documents("stages") | world.documents("runs")


def state_numbers(world: World) -> dict[str, Any]:
    """Run id -> the fields of its state without the set."""
    fields = {}
    for body in world.documents("runstate").values():
        perf = body["perf"]
        fields[perf["run"]["id"]] = {name: value for name, value in perf["runstate"].items() if name != "set"}
    return fields
