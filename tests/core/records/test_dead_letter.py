"""What a refused record's document tells, of records that came wrapped. No servers."""

import orjson

from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import load_registry
from ingest.core.fields import Schema
from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.core.model import Intake, Outcomes
from ingest.core.records import dead_letter, headers
from ingest.core.records.decoded import DecodedRecord
from tests.support.world import ROOT

NOW_MS = 1454803200000
TORN = "Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32:1086857-64636: PE"


def decoded(received: ConsumerRecord) -> DecodedRecord:
    """The record as it is before its rejects are known."""
    message, _, replay, _ = headers.parse(received)
    return DecodedRecord(message, Outcomes(), [], replay)


def test_a_reject_of_a_wrapped_line_shows_the_line_and_the_letter_the_record() -> None:
    """Host, path and offset are the wrapper's, the column the line's; the dead letter holds the bytes as they came."""
    registry = load_registry(ROOT / "grammars")
    intake = Intake("als-lines", "t", "als", ("als_perf",), wrapper="vector")
    value = orjson.dumps({"message": TORN, "host": "als-node-17", "file": "/a.log", "offset": 7})
    received = ConsumerRecord(Partition("t", 0), 5, NOW_MS, b"key", value, (("h", b"1"),))
    message = headers.parse(received).message
    outcomes = Decoder(intake, registry.sources, registry.schema, None, registry.wrappers).decode(message, NOW_MS)
    refused = [(dead_letter.READ_STAGE, reject) for reject in outcomes.rejects]
    ref = dead_letter.reject_ref(received, DecodedRecord(message, outcomes, refused), intake, registry.schema)

    (action,) = dead_letter.actions(ref, message, intake, refused, NOW_MS)
    letter = dead_letter.dead_letter_record("dead", received, intake, refused)
    body = orjson.loads(action.json)

    assert body["event"]["original"] == TORN
    assert body["perf"]["reject"]["column"] == TORN.index("PE") + 1
    assert body["host"]["name"] == "als-node-17"
    assert body["log"] == {"file": {"path": "/a.log"}, "offset": 7}
    assert body["provenance"] == {"forwarder": "vector", "kafka": "t/0/5"}
    assert letter.value == value
    assert letter.headers[:1] == (("h", b"1"),)


def test_a_replayed_record_that_is_refused_again_has_the_place_of_the_first(schema: Schema) -> None:
    """Index and id of the record that it is the copy of, months later too, so that `create` finds it there."""
    intake = Intake("als-lines", "t", "als", ("als_perf",))
    then_ms = NOW_MS - 90 * 86_400_000
    first = ConsumerRecord(Partition("t", 0), 5, then_ms, b"k", TORN.encode(), ())
    again = headers.replay_headers(first.headers, headers.Replay(first.coordinates, then_ms))
    copy = ConsumerRecord(Partition("t", 0), 900, NOW_MS, b"k", TORN.encode(), again)

    refs = [dead_letter.reject_ref(record, decoded(record), intake, schema) for record in (first, copy)]

    assert refs == [("perf-rejects-als-2015.11", "t/0/5")] * 2
