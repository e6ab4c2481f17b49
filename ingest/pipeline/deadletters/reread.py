"""Decodes a rejected record with the current grammars, to show whether a replay would help."""

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


def as_of_now(
    reject: StoredReject, original: Original | None, settings: Settings, registry: Registry
) -> Outcomes | None:
    """The outcomes a replay would have, without asking Elasticsearch; None when the record cannot be sent."""
    at = Coordinates.read(reject.record)
    intake = next((i for i in settings.intakes.values() if at and i.topic == at.partition.topic), None)
    if at is None or intake is None or original is None or not original.whole:
        return None
    decoder = Decoder(intake, registry.sources, registry.schema, settings.sites, registry.wrappers)
    time_ms = iso_ms(reject.value("event.created"))
    record = ConsumerRecord(at.partition, at.offset, time_ms, original.key, original.value, original.headers)
    message, role, *_ = headers.parse(record)
    return decoder.decode(message, time_ms) if role is None else read_as(message, role)[1]
