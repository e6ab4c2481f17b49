"""What a refused record would become if it were read now: whether a replay is of any use."""

from ingest.config.settings import Settings
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import Registry
from ingest.core.kafka_record import ConsumerRecord, Coordinates
from ingest.core.model import Outcomes
from ingest.core.records import headers
from ingest.core.timestamps import iso_ms
from ingest.core.tracking.manifest import read_as
from ingest.edge.elasticsearch.rejects import StoredReject
from ingest.pipeline.deadletters.inspect import Original


def as_of_now(found: StoredReject, original: Original | None, settings: Settings, known: Registry) -> Outcomes | None:
    """What a replay would give, Elasticsearch not asked; None when the record could not be sent."""
    at = Coordinates.read(found.record)
    intake = next((i for i in settings.intakes.values() if at and i.topic == at.partition.topic), None)
    if at is None or intake is None or original is None or not original.whole:
        return None
    flow = Decoder(intake, known.sources, known.schema, settings.sites, known.wrappers)
    time_ms = iso_ms(found.told("event.created"))
    record = ConsumerRecord(at.partition, at.offset, time_ms, original.key, original.value, original.headers)
    told, role = headers.message(record), headers.manifest_role(record)
    return flow.outcomes(told, time_ms) if role is None else read_as(told, role)[1]
