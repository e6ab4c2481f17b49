"""Where records lie in their files, as the reader of a worker tells it: of all of them, however they are batched."""

from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.config.paths import data_folder
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import load_registry
from ingest.core.kafka_record import ConsumerRecord, Header, Partition
from ingest.core.model import Intake, Message, Provenance
from ingest.core.records.positions import DecodedFacts, of_records, of_wrapped, spans
from ingest.core.records.record_decoder import RecordDecoder
from ingest.core.sources.framing import lines
from ingest.core.timestamps import iso_ms
from ingest.core.tracking.byte_ranges import Instant
from ingest.core.tracking.file_state import FileKey, FileState, FileUpdate, merge

NOW_MS = 1454803200123
KNOWN = load_registry(data_folder("grammars"))
INTAKE = Intake("lines", "t", "als", ("als_perf",), "als-tomography")
FLOW = Decoder(INTAKE, KNOWN.sources, KNOWN.schema)
FOLDER = data_folder("grammars") / "als_perf"
LINES = [
    line
    for name in ("samples.log", "samples.variants.log", "rejects.log")
    for line in (FOLDER / name).read_bytes().split(b"\n")
]
KEY = FileKey("als", "t", "a", "/x.log", "g")
HEAD: tuple[Header, ...] = (
    ("perflog.host", b"a"),
    ("perflog.path", b"/x.log"),
    ("perflog.backfill", b"true"),
    ("perflog.generation", b"g"),
)


NO_PLACES: list[Header | None] = [
    None, ("other", b"4"), ("perflog.path", b"/y.log"),
    *(("perflog.offset", value) for value in (b"x", b"", b"-7", b"1_0", b" 5", b"9" * 19, b"9" * 5000)),
]  # fmt: skip


def records_of(lines: Sequence[bytes]) -> list[ConsumerRecord]:
    """The lines of a file as its shipper sends them, a millisecond apart."""
    at, records = 0, []
    for n, line in enumerate(lines):
        tail = ("perflog.offset", b"%d" % at)
        records.append(ConsumerRecord(Partition("t", 3), n, NOW_MS + n, b"k", line, HEAD, tail))
        at += len(line) + 1
    return records


def read(batches: Sequence[Sequence[ConsumerRecord]]) -> FileState:
    """What one worker after the other makes of the file."""
    state = FileState(KEY)
    for batch in batches:
        for updates in RecordDecoder(FLOW).read(batch, NOW_MS).files.values():
            state = merge(state, updates)
    return state


def cut(records: Sequence[ConsumerRecord], rng: Random) -> Iterator[Sequence[ConsumerRecord]]:
    """Batches of any size."""
    start = 0
    while start < len(records):
        stop = start + rng.randint(1, 60)
        yield records[start:stop]
        start = stop


def with_strangers(batch: Sequence[ConsumerRecord], rng: Random) -> list[ConsumerRecord]:
    """Here and there a record of the same shipper that says no place."""
    records = list(batch)
    for _ in range(rng.choice([0, 1, 5])):
        stranger = rng.choice(records)._replace(value=rng.choice(LINES), tail=rng.choice(NO_PLACES))
        records.insert(rng.randint(0, len(records)), stranger)
    return records


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_same_file_however_it_is_batched(seed: int) -> None:
    """Marks by the short and by the general way, rejects, foreign and blank lines, some lost, some twice, mixed.

    Among them records that say no place, whatever they hold: they are of no file.
    """
    rng = Random(seed)
    lines = [rng.choice(LINES) for _ in range(200)]
    lost = set(rng.sample(range(200), 3))
    records = [record for record in records_of(lines) if record.offset not in lost]
    again = rng.sample(records, 20)

    whole = read([records])
    batches = [*cut(records, rng), again]
    rng.shuffle(batches)
    mixed = read([with_strangers(batch, rng) for batch in batches])

    assert (mixed.ranges, list(mixed.holes)) == (whole.ranges, list(whole.holes))
    facts = [
        Instant(int(received.tail[1]), iso_ms(document.body["@timestamp"]))
        for received in records
        if received.tail
        for document in FLOW.decode(Message(received.value or b"", NOW_MS, backfill=True), 0).documents
    ]
    instants = [(byte_range.first, byte_range.last) for byte_range in mixed.ranges]
    inside = [
        [fact for fact in facts if byte_range.start <= fact.offset < byte_range.stop] for byte_range in mixed.ranges
    ]
    assert instants == [(min(facts, default=None), max(facts, default=None)) for facts in inside]


def test_what_a_header_calls_a_manifest_is_no_line() -> None:
    """Also where its bytes are one, and lines of the file go the short way: content never routes."""
    records = records_of([LINES[n % 35] for n in range(100)])
    reader = RecordDecoder(FLOW)
    reader.read(records, NOW_MS)
    head = (("perflog.manifest", b"end"), *HEAD)

    batch = reader.read([records[0]._replace(head=head)], NOW_MS)

    assert batch.actions == []
    assert [reject.reason for _, reject in batch.special[0].rejects] == ["manifest"]


def test_a_record_that_says_no_place_lies_nowhere() -> None:
    """Another last header, none, no number, or one below 0: passed over; its neighbours keep their places."""
    records = records_of([b"abc", b"d", b"ef", b"gh", b"i", b"j"])
    tails: list[Header | None] = [("other", b"4"), None, ("perflog.offset", b"x"), ("perflog.offset", b"-7")]
    mixed = [records[0], *(r._replace(tail=tail) for r, tail in zip(records[1:5], tails, strict=True)), records[5]]

    assert [row[:2] for row in spans(mixed, range(6))] == [(0, 4), (14, 16)]


@pytest.mark.parametrize("wrapper", [False, True])
def test_a_message_that_would_end_beyond_all_numbers_lies_nowhere(wrapper: bool) -> None:
    """Its first byte has a number that the index can hold, what follows has none."""
    line = LINES[0]
    last = 2**63 - 1
    for at, byte_ranges in ((last - len(line) - 1, [(last - len(line) - 1, last)]), (last - len(line), []), (last, [])):
        record = records_of([line])[0]
        if wrapper:
            inner = Message(line, NOW_MS, Provenance("a", "/x.log", at))
            pieces = [piece for _, piece in of_wrapped([record], {0: inner}, DecodedFacts([], []))]
        else:
            pieces = of_records([record._replace(tail=("perflog.offset", b"%d" % at))], range(1), DecodedFacts([], []))

        assert [piece[:2] for piece in pieces] == byte_ranges


def test_messages_that_overlap_or_come_again_are_one_row() -> None:
    """A forwarder that counts otherwise, or sends a line twice in a row: no row for each of them."""
    records = [record for record in records_of([b"abc", b"defg", b"hi"]) for _ in range(2)]
    numbered = [record._replace(tail=("perflog.offset", b"%d" % n)) for n, record in enumerate(records)]

    assert [row[:3] for row in spans(records, range(6))] == [(0, 12, 0)]
    assert [row[:3] for row in spans(numbered, range(6))] == [(0, 8, 0)]


def test_a_tail_that_names_another_file_speaks_for_itself_only() -> None:
    """What the common headers tell is the place of those that follow."""
    records = records_of([b"abc", b"defg"])
    other = records[0]._replace(tail=("perflog.path", b"/y.log"))

    (file_update,) = RecordDecoder(FLOW).read([other, records[1]], NOW_MS).files.items()

    assert file_update[0] == KEY
    assert [piece[:2] for piece in file_update[1].ranges] == [(4, 9)]


def test_nothing_is_kept_where_nothing_is_derived_or_wanted() -> None:
    """`derive = false`, or an intake with `gaps = false`: no cost, no files."""
    records = records_of([b"abc"])
    unwanted = Decoder(Intake("lines", "t", "als", ("als_perf",), gaps=False), KNOWN.sources, KNOWN.schema)

    assert RecordDecoder(FLOW, typed=False).read(records, NOW_MS).files == {}
    assert RecordDecoder(unwanted).read(records, NOW_MS).files == {}


def test_a_manifest_is_of_the_file_that_its_headers_name() -> None:
    """And is no message of it; also as the last header of a record among lines."""
    records = records_of([b"abc", b"def"])
    head = (("perflog.manifest", b"begin"), *HEAD)
    begin = ConsumerRecord(Partition("t", 3), 7, NOW_MS + 7, b"k", b'{"size_bytes": 8}', head[:-1], head[-1])
    end = records[0]._replace(value=b'{"bytes": 8}', tail=("perflog.manifest", b"end"), time_ms=NOW_MS + 9)

    batch = RecordDecoder(FLOW).read([begin, records[0], end, records[1]], NOW_MS)

    update: FileUpdate = batch.files[KEY]
    assert [piece[:2] for piece in merge(FileState(KEY), update).ranges] == [(0, 8)]
    assert (update.begun, update.ended) != (None, None)
    assert set(batch.files) == {KEY}
    assert {writer.path: ms for writer, ms in batch.ends.items()} == {"/x.log": NOW_MS + 9}
    assert batch.actions == []


def test_bytes_of_a_syslog_prefix_were_received_too() -> None:
    """A line's range is that of its message: no hole where its prefix is; facts lie behind the prefix."""
    intake = Intake("lines", "t", "als", ("als_perf",), prefix="syslog")
    prefixed = [b"<13>Feb  5 21:39:38 node perf: " + line for line in LINES[:70]]
    decoder = RecordDecoder(Decoder(intake, KNOWN.sources, KNOWN.schema))

    batch = decoder.read(records_of(prefixed), NOW_MS)

    (updates,) = batch.files.values()
    state = merge(FileState(KEY), updates)
    assert [(piece.start, piece.stop) for piece in state.ranges] == [(0, sum(len(line) + 1 for line in prefixed))]
    assert len(batch.actions) >= 35


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_lines_of_utf16_leave_no_hole_between_them(mark: bytes) -> None:
    """Each has the file's mark before it, and a newline of two bytes behind it."""
    encoding = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    data = mark + b"\n".join(LINES[:40]).decode().encode(encoding)
    records = [
        ConsumerRecord(
            Partition("t", 3), n, NOW_MS, b"k", frame.data, HEAD, ("perflog.offset", b"%d" % frame.offset_bytes)
        )
        for n, frame in enumerate(lines(data))
    ]

    (updates,) = RecordDecoder(FLOW).read(records, NOW_MS).files.values()

    state = merge(FileState(KEY), updates)
    (whole,) = state.ranges
    assert (whole.start, whole.stop >= len(data)) == (0, True)
