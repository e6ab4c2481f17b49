"""The runs that the demo shows, as documents of kinds runs and stages tell them.

The worker does not write these documents yet: they are made here of the stored marks, by the very function that makes
them there, and read as if they had been stored. Once it writes them, `runs_between` is
`with runs(settings.elasticsearch) as stored: return stored.whole(wanted)`, and the rest of this module goes.
"""

from ingest.core.derive import derived, documents
from ingest.core.fields import Schema
from ingest.core.runmarks import gathered
from ingest.core.runstate import RunState, grown
from ingest.core.storedruns import StoredRun, run_in, stage_in, with_stages
from ingest.edge.elasticsearch.ask import Questions, between

MARK_FIELDS = (
    "@timestamp", "perf.facility", "perf.source", "perf.workflow", "perf.flags", "perf.run.id", "perf.stage",
    "perf.mark.key", "perf.mark.role", "perf.mark.emit_lag_s",
)  # fmt: skip


def runs_between(questions: Questions, schema: Schema, facility: str, start_ms: int, end_ms: int) -> list[StoredRun]:
    """The runs of a facility whose marks lie in that time, each with its stages, in the order in which they began."""
    marks = questions.hits("marks", facility, [between(start_ms, end_ms)], MARK_FIELDS)
    sets = gathered((hit["_id"], hit["_version"], hit["_source"]) for hit in marks)
    states = (grown(RunState(key), found.values()) for key, found in sets.items())
    written = [document for state in states for document in documents(derived(state), schema)]
    alive = [document for document in written if not document.body["perf"].get("retracted")]
    runs = (run_in(document.body) for document in alive if document.index.startswith("perf-runs-"))
    stages = (stage_in(document.id, document.body) for document in alive if document.index.startswith("perf-stages-"))
    return with_stages(runs, stages)
