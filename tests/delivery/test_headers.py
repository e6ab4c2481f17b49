"""Where a message came from, written into headers and read back; a damaged header costs itself, never the message."""

import pytest

from ingest.core.model import Provenance
from ingest.edge.ports import Partition, Received
from ingest.run import headers


def received(*told: tuple[str, bytes]) -> Received:
    """A record with these headers."""
    return Received(Partition("perf.als.lines.v1", 3), 17, 1_000, b"k", b"v", told)


def test_what_the_shipper_wrote_is_read_back() -> None:
    """All of it, and the record's own coordinates beside it."""
    told = Provenance("host", "/var/log/ä.log", 2**40, "perflog/1", captured_ms=1_454_737_177_000)

    found = headers.message(received(*headers.written(told, backfill=True)))

    assert found.backfill
    assert found.provenance == Provenance(
        "host", "/var/log/ä.log", 2**40, "perflog/1", "perf.als.lines.v1/3/17", 1_454_737_177_000
    )


@pytest.mark.parametrize("bad", [b"", b"-1", b"1e3", b"\xff", b"9" * 30, "\u0661".encode()])
def test_a_number_that_is_none_is_as_good_as_unknown(bad: bytes) -> None:
    """Foreign forwarders write what they like."""
    found = headers.message(received((headers.OFFSET, bad), (headers.HOST, b"\xffhost")))

    assert found.provenance.offset_bytes is None
    assert found.provenance.host == "\ufffdhost"
    assert not found.backfill


def test_a_record_without_headers_is_a_message_all_the_same() -> None:
    """Kcat and rsyslog write none; a record without a value is an empty message."""
    bare = Received(Partition("t", 0), 0, 5, None, None, ())

    assert headers.message(bare).data == b""
    assert headers.message(bare).provenance == Provenance(kafka="t/0/0")
