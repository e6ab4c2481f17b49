"""perflog's decoder of record batches returns the same records as kafka-python's."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from ingest.core.kafka_record import Partition
from ingest.edge.kafka.record_batches import decode_batch

AT = Partition("t", 1)
BYTES = st.one_of(st.none(), st.binary(max_size=200), st.just(b"x" * 9000))
NAMES = st.sampled_from(["perflog.host", "perflog.offset", "h", "", "é" * 80])
HEADERS = st.lists(st.tuples(NAMES, BYTES), max_size=5)
RECORDS = st.lists(st.tuples(BYTES, BYTES, HEADERS, st.integers(0, 10**9)), min_size=1, max_size=30)


def built(records: list[Any], compression: int = 0) -> bytes:
    """A batch as a producer builds it."""
    builder = DefaultRecordBatchBuilder(2, compression, False, -1, -1, -1, 10_000_000)
    for offset, (key, value, headers, after_ms) in enumerate(records):
        assert builder.append(offset, 1_700_000_000_000 + after_ms, key, value, headers) is not None
    return bytes(builder.build())


@settings(deadline=None)
@given(records=RECORDS, compression=st.sampled_from([0, 1]), twice=st.booleans())
def test_both_decoders_return_the_same_records(records: list[Any], compression: int, twice: bool) -> None:
    """Keys, values, headers, times and offsets, also if a record's headers nearly equal those of the one before."""
    data = built(records * 2 if twice else records, compression)

    records_read = decode_batch(DefaultRecordBatch(data), AT)

    expected = [
        (r.offset, r.timestamp, r.key, r.value, tuple((name, value or b"") for name, value in r.headers))
        for r in DefaultRecordBatch(data)
    ]
    assert [(r.offset, r.time_ms, r.key, r.value, r.headers) for r in records_read] == expected
    assert {r.partition for r in records_read} == {AT}


def test_records_with_the_same_first_headers_share_them() -> None:
    """They are one object, by whose identity a worker recognises an origin."""
    records = [(b"k", b"v", [("host", b"a"), ("path", b"/x"), ("offset", b"%d" % n)], n) for n in range(9)]
    records += [(b"k", b"v", [("host", b"b"), ("path", b"/x"), ("offset", b"1")], 1), (b"k", b"v", [], 1)]

    records_read = decode_batch(DefaultRecordBatch(built(records)), AT)

    assert len({id(r.head) for r in records_read[:9]}) == 1
    assert records_read[9].headers == (("host", b"b"), ("path", b"/x"), ("offset", b"1"))
    assert records_read[10].headers == ()


@settings(deadline=None)
@given(records=RECORDS, data=st.data())
def test_a_damaged_batch_is_corrupt_or_read_with_all_its_records(records: list[Any], data: st.DataObject) -> None:
    """A changed byte after the head, without the checksum: CorruptRecordError is the only error."""
    good = built(records)
    at = data.draw(st.integers(61, len(good) - 1))
    bad = good[:at] + bytes([good[at] ^ data.draw(st.integers(1, 255))]) + good[at + 1 :]
    batch = DefaultRecordBatch(bad)

    try:
        records_read = decode_batch(batch, AT)
    except CorruptRecordError:
        return
    assert len(records_read) == len(records)


def test_a_cut_batch_is_corrupt() -> None:
    """It ends in the middle of a record."""
    with pytest.raises(CorruptRecordError):
        decode_batch(DefaultRecordBatch(built([(b"k", b"value", [], 0)])[:-3]), AT)
