"""What a refused record would become if it were read now: whether a replay is of any use."""

from ingest.config import Settings
from ingest.core.clock import iso_ms
from ingest.core.flow import Flow
from ingest.core.manifest import read_as
from ingest.core.model import Outcomes
from ingest.edge.elasticsearch.rejects import Found
from ingest.edge.ports import Coordinates, Received
from ingest.run import headers
from ingest.run.dead_letters import Original
from ingest.run.knowledge import Knowledge


def today(found: Found, original: Original | None, settings: Settings, known: Knowledge) -> Outcomes | None:
    """What a replay would give, Elasticsearch not asked; None when the record could not be sent."""
    at = Coordinates.read(found.record)
    intake = next((i for i in settings.intakes.values() if at and i.topic == at.partition.topic), None)
    if at is None or intake is None or original is None or not original.whole:
        return None
    flow = Flow(intake, known.sources, known.schema, settings.sites, known.wrappers)
    time_ms = iso_ms(found.told("event.created"))
    record = Received(at.partition, at.offset, time_ms, original.key, original.value, original.headers)
    told, role = headers.message(record), headers.manifest_role(record)
    return flow.outcomes(told, time_ms) if role is None else read_as(told, role)[1]
