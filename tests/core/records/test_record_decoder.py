"""The reader of a worker says of every record what the flow says of it, whichever way the record takes."""

from collections.abc import Iterator
from random import Random

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.config.paths import data_folder
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import load_registry
from ingest.core.kafka_record import ConsumerRecord, Header, Partition
from ingest.core.model import Intake, Message, Outcomes
from ingest.core.records.headers import parse
from ingest.core.records.record_decoder import RecordDecoder

NOW_MS, INGESTED_MS = 1454803200123, 1454803201000
KNOWN = load_registry(data_folder("grammars"))
FLOW = Decoder(Intake("lines", "t", "als", ("als_perf",), "als-tomography"), KNOWN.sources, KNOWN.schema)
LINES = [
    line
    for name in ("samples.log", "samples.variants.log", "rejects.log")
    for line in (data_folder("grammars") / "als_perf" / name).read_bytes().split(b"\n")
]
HEADS: list[tuple[Header, ...]] = [
    (("perflog.host", b"a"), ("perflog.path", b"/x.log"), ("perflog.backfill", b"true")),
    (("perflog.host", b"b"), ("perflog.path", b"/x.log")),
    (),
]
TAILS: list[Header | None] = [
    ("perflog.offset", b"17"), ("perflog.offset", b"017"), ("perflog.offset", b"x"), ("perflog.offset", b""),
    ("perflog.path", b"/y.log"), ("other", b"1"), None,
]  # fmt: skip


def segments(rng: Random) -> list[ConsumerRecord]:
    """Records in stretches that share their first headers, as Kafka's batches hold them."""
    records: list[ConsumerRecord] = []
    for _ in range(rng.randint(1, 4)):
        head, usual = rng.choice(HEADS), rng.choice(TAILS)
        for _ in range(rng.randint(1, 90)):
            tail = usual if rng.random() < 0.97 else rng.choice(TAILS)
            value = rng.choice(LINES[:35] if rng.random() < 0.7 else [*LINES, None])
            records.append(ConsumerRecord(Partition("t", 3), 100 + len(records), NOW_MS, b"k", value, head, tail))
    return records


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_record_becomes_what_the_flow_makes_of_it(seed: int) -> None:
    """Documents to the value, rejects and ignored lines; whatever came before, wherever stretches begin."""
    rng, reader = Random(seed), RecordDecoder(FLOW)
    for _ in range(3):
        records = segments(rng)
        batch = reader.read(records, INGESTED_MS)
        of_record: dict[int, list[tuple[str, str, object]]] = {n: [] for n in range(len(records))}
        for owner, action in zip(batch.owners, batch.actions, strict=True):
            of_record[owner].append((action[0], action.id, orjson.loads(action.json)))

        for n, received in enumerate(records):
            expected = FLOW.decode(parse(received).message, INGESTED_MS)
            assert of_record[n] == [(d.index, d.id, d.body) for d in expected.documents]
            special = batch.special.get(n)
            assert (special.outcomes.rejects if special else ()) == expected.rejects
            assert (special.outcomes.ignored if special else ()) == expected.ignored


def test_plain_lines_of_one_origin_take_the_short_way_once_it_has_sent_some() -> None:
    """A second batch of the sample has no special records at all."""
    reader = RecordDecoder(FLOW)
    head = HEADS[0]
    records = [
        ConsumerRecord(Partition("t", 0), n, NOW_MS, b"k", LINES[n % 35], head, ("perflog.offset", b"%d" % n))
        for n in range(70)
    ]
    reader.read(records, INGESTED_MS)

    batch = reader.read(records, INGESTED_MS)

    assert (len(batch.actions), batch.special) == (70, {})


class CountedHeaders(tuple[Header, ...]):
    """Headers that count how often they are read."""

    reads = 0

    def __iter__(self) -> Iterator[Header]:
        self.reads += 1
        return super().__iter__()


def test_headers_that_records_share_are_parsed_once() -> None:
    """However many records share them, and whichever path the records take."""
    reader, head = RecordDecoder(FLOW), CountedHeaders(HEADS[0])
    values = [*LINES[:35], b"torn", None]
    records = [
        ConsumerRecord(Partition("t", 0), n, NOW_MS, b"k", values[n % len(values)], head, ("perflog.offset", b"%d" % n))
        for n in range(200)
    ]

    batch = reader.read(records, INGESTED_MS)

    assert (len(batch.special) > 0, head.reads) == (True, 1)


def test_a_fault_of_our_own_costs_one_record_its_reading() -> None:
    """A flow that breaks on some bytes: that record is refused with reason `fault`, the others are read."""

    class Broken(Decoder):
        def decode(self, message: Message, ingested_ms: int) -> Outcomes:
            if message.data == b"break":
                raise ZeroDivisionError
            return super().decode(message, ingested_ms)

    reader = RecordDecoder(Broken(FLOW.intake, KNOWN.sources, KNOWN.schema))
    values = [LINES[0], b"break", LINES[1]]

    batch = reader.read(
        [ConsumerRecord(Partition("t", 0), n, NOW_MS, None, v) for n, v in enumerate(values)], INGESTED_MS
    )

    assert [r.reason for r in batch.special[1].outcomes.rejects] == ["fault"]
    assert batch.owners == [0, 2]
    assert [(at, type(error)) for at, error in batch.faults] == [("t/0/1", ZeroDivisionError)]
