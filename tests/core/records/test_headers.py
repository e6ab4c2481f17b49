"""Where a message came from, written into headers and read back; a damaged header costs itself, never the message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.core.model import Provenance
from ingest.core.records import headers
from ingest.core.replay.stored_line import DocumentVersion, StoredLine


def received(*own: tuple[str, bytes]) -> ConsumerRecord:
    """A record with these headers."""
    return ConsumerRecord(Partition("perf.als.lines.v1", 3), 17, 1_000, b"k", b"v", own)


def test_what_the_shipper_wrote_is_read_back() -> None:
    """All of it, and the record's own coordinates beside it."""
    provenance = Provenance("host", "/var/log/ä.log", 2**40, "perflog/1", captured_ms=1_454_737_177_000)

    message = headers.parse(received(*headers.to_headers(provenance, backfill=True))).message

    assert message.backfill
    assert message.provenance == Provenance(
        "host", "/var/log/ä.log", 2**40, "perflog/1", "perf.als.lines.v1/3/17", 1_454_737_177_000
    )


@pytest.mark.parametrize("bad", [b"", b"-1", b"1e3", b"\xff", b"9" * 30, "\u0661".encode()])
def test_a_number_that_is_none_is_as_good_as_unknown(bad: bytes) -> None:
    """Foreign forwarders write what they like."""
    message = headers.parse(received((headers.OFFSET, bad), (headers.HOST, b"\xffhost"))).message

    assert message.provenance.offset_bytes is None
    assert message.provenance.host == "\ufffdhost"
    assert not message.backfill


def test_a_record_without_headers_is_a_message_all_the_same() -> None:
    """Kcat and rsyslog write none; a record without a value is an empty message."""
    bare = ConsumerRecord(Partition("t", 0), 0, 5, None, None, ())

    assert headers.parse(bare).message.data == b""
    assert headers.parse(bare).message.provenance == Provenance(kafka="t/0/0")


NOW_MS, THEN_MS = 1_790_000_000_000, 1_780_000_000_000
OF = b"perf.als.lines.v1/3/11"


def replayed(of: bytes = OF, time_ms: object = THEN_MS) -> ConsumerRecord:
    """A record that says of which one it is the copy."""
    own = ((headers.REPLAY_OF, of), (headers.RECORD_TIME, str(time_ms).encode()))
    return ConsumerRecord(Partition("perf.als.lines.v1", 3), 17, NOW_MS, b"k", b"v", own)


def test_a_replayed_record_is_read_as_it_was_then() -> None:
    """Its record time is that of the record it is the copy of; it lies where it lies."""
    message = headers.parse(replayed()).message

    assert message.record_time_ms == THEN_MS
    assert message.provenance.kafka == "perf.als.lines.v1/3/17"
    assert headers.parse(replayed()).replay == headers.Replay("perf.als.lines.v1/3/11", THEN_MS)


@pytest.mark.parametrize(
    "claim",
    [
        replayed(time_ms=NOW_MS + 1),
        replayed(time_ms=0),
        replayed(time_ms="soon"),
        replayed(of=b"perf.other.lines.v1/3/11"),
        replayed(of=b"perf.als.lines.v1/3"),
        replayed(of=b"perf.als.lines.v1/-3/11"),
        received((headers.RECORD_TIME, b"1780000000000")),
        received((headers.REPLAY_OF, OF)),
    ],
)
def test_what_cannot_be_a_copy_is_not_believed(claim: ConsumerRecord) -> None:
    """Another topic, a later time, no time, a time alone: read as any record, at its own append time."""
    assert headers.parse(claim).replay is None
    assert headers.parse(claim).message.record_time_ms == claim.time_ms


def test_a_record_is_sent_again_with_its_own_headers_alone() -> None:
    """What the dead letter and an earlier replay added is gone, the rest is as it came, in order and repeated."""
    own = (("a", b"1"), (headers.HOST, b"h"), ("a", b"\xff"))
    letter = (*own, ("__connect.errors.topic", b"t"), ("perflog.reject.reason", b"torn"), *replayed().headers)

    own_headers = headers.replay_headers(letter, headers.Replay("t/0/1", THEN_MS))

    assert own_headers == (*own, (headers.REPLAY_OF, b"t/0/1"), (headers.RECORD_TIME, str(THEN_MS).encode()))


LINE = StoredLine(THEN_MS, 5, False, (DocumentVersion("perf-marks-als-2016.02", "a", 1, "als_perf", "1-1", THEN_MS),))


def test_a_stored_line_is_read_as_it_was_then_and_bare() -> None:
    """Its age counts from its first copy, which no limit holds for; its offset is its own; no wrapper is looked for."""
    own = (*headers.to_headers(Provenance("h", "/x"), backfill=False), (headers.STORED, LINE.text))
    record = ConsumerRecord(Partition("perf.als.lines.v1", 3), 17, NOW_MS, b"k", b"v", own[:-1], own[-1])

    message = headers.parse(record).message

    assert headers.parse(record).line == LINE
    assert (message.record_time_ms, message.backfill, message.bare, message.glued) == (THEN_MS, True, True, False)
    assert message.provenance == Provenance("h", "/x", 5, kafka="perf.als.lines.v1/3/17")


def test_a_stored_line_that_was_refused_stays_one() -> None:
    """Sent again from the dead letters it still tells what was made of it; one from the future is not believed."""
    letter = ((headers.STORED, LINE.text), ("__connect.errors.topic", b"t"))

    again = headers.replay_headers(letter, headers.Replay("perf.als.lines.v1/3/1", NOW_MS))

    assert headers.parse(ConsumerRecord(Partition("t", 0), 0, NOW_MS, None, b"v", again[:-1], again[-1])).line == LINE
    assert (
        headers.parse(ConsumerRecord(Partition("t", 0), 0, THEN_MS - 1, None, b"v", again[:-1], again[-1])).line is None
    )


NAMES = st.sampled_from([headers.HOST, headers.OFFSET, headers.BACKFILL, headers.MANIFEST, headers.REPLAY_OF, "other"])
HEADERS = st.lists(st.tuples(NAMES, st.sampled_from([b"7", b"true", b"x", OF])), min_size=1, max_size=6)


@given(own=HEADERS)
def test_the_last_header_says_what_it_says_among_the_others(own: list[tuple[str, bytes]]) -> None:
    """The consumer keeps it apart; it overrides an earlier header of its name all the same."""
    *head, tail = own
    apart = ConsumerRecord(Partition("t", 0), 5, NOW_MS, None, b"v", tuple(head), tail)
    together = ConsumerRecord(Partition("t", 0), 5, NOW_MS, None, b"v", tuple(own))

    assert headers.parse(apart, headers.parse_shared(apart.head)) == headers.parse(together)
