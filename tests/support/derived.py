"""Lines -> marks -> the documents of their runs and stages, as a worker writes them; no server."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import load_registry
from ingest.core.mark import RunKey, RunMark
from ingest.core.model import Document, Intake, Message
from ingest.core.runs.derive import DerivedDocument, derive, documents
from ingest.core.runs.state import RunState, with_marks
from ingest.core.runs.template import Templates
from ingest.synthetic.workload.generator import messages
from ingest.synthetic.workload.truth import Workload
from tests.core.conftest import GRAMMARS
from tests.support.marks import marks_by_run

RECEIVED_MS = 1_790_000_000_000
SAMPLE = GRAMMARS / "als_perf" / "samples.log"
shipped = lru_cache(load_registry)
Sets = dict[RunKey, dict[str, RunMark]]


def marks_of_lines(lines: Iterable[bytes], facility: str) -> Sets:
    """The set of marks of each run id in some lines."""
    registry = shipped(GRAMMARS)
    decoder = Decoder(Intake("test", "t", facility, ("als_perf",), "als-tomography"), registry.sources, registry.schema)

    def facts() -> Iterator[Document]:
        for line in lines:
            yield from decoder.decode(Message(line, RECEIVED_MS, backfill=True), 0).documents

    return marks_by_run(facts())


def marks_of_sample(facility: str = "als") -> Sets:
    """Those of the 35 lines."""
    return marks_of_lines(SAMPLE.read_bytes().splitlines(), facility)


def marks_of(workload: Workload) -> Sets:
    """Those of a workload of one facility."""
    (facility,) = workload.facilities
    return marks_of_lines((made.data for made in messages(workload)), facility)


def documents_of(
    sets: Sets, watermark_ms: int | None = None, templates: Templates | None = None
) -> list[DerivedDocument]:
    """What is written of such sets; with templates, by a sweeper."""
    schema = shipped(GRAMMARS).schema
    states = (with_marks(RunState(key, watermark_ms=watermark_ms), marks.values()) for key, marks in sets.items())
    return [document for state in states for document in documents(derive(state), schema, None, templates or {})]
