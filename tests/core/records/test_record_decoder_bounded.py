"""What one record becomes is bounded: 16 times its bytes and 64 KiB, and work that grows with its size. No servers.

Output is what is written: the actions for documents and rejects, and the dead letter. Work is the calls that are made.
"""

from collections.abc import Callable
from functools import cache
from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.config.paths import data_folder
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import load_registry
from ingest.core.kafka_record import ConsumerRecord, Partition
from ingest.core.model import Intake
from ingest.core.records import dead_letter
from ingest.core.records.record_decoder import RecordDecoder
from ingest.core.sources.loader import sample_files
from ingest.core.sources.readers import JsonReader
from ingest.core.sources.source import Source
from tests.support.amount import examples
from tests.support.work import assert_linear, function_calls

NOW_MS = 1_772_668_800_000
KNOWN = load_registry(data_folder("grammars"))
HEAD = (("perflog.captured_ms", b"1772668740000"), ("perflog.host", b"h"), ("perflog.backfill", b"true"))
NASTY = [b"\x01", b"\\u0001", b'\\"', b"\xff", b"1e15", b"9" * 40, b"[" * 70, b"{}", b",", b"\n", b"nan", "Ü".encode()]


@cache
def samples(name: str) -> list[bytes]:
    """The messages of a source's samples."""
    source = KNOWN.sources[name]
    files = [path.read_bytes() for path in sample_files(source.folder)]
    lines = [line for data in files for line in data.split(b"\n") if line.strip()]
    return lines if source.framing == "line" else files + lines if isinstance(source.reader, JsonReader) else files


def reader_of(name: str) -> RecordDecoder:
    """A worker's reader of an intake for one source; lines may come joined."""
    multiline = KNOWN.sources[name].framing == "line"
    intake = Intake("x", "t", "als", (name,), "w", multiline=multiline)
    return RecordDecoder(Decoder(intake, KNOWN.sources, KNOWN.schema))


def written_bytes(reader: RecordDecoder, value: bytes) -> int:
    """The bytes that a worker writes for a record."""
    received = ConsumerRecord(
        Partition("perf.als.lines.v1", 0), 1_000_000, NOW_MS, None, value, HEAD, ("perflog.offset", b"7")
    )
    batch = reader.read([received], NOW_MS)
    size = sum(len(action.text.encode()) for action in batch.actions)
    special = batch.special.get(0)
    if special is None or not special.rejects:
        return size
    intake = reader.decoder.intake
    ref = dead_letter.reject_ref(received, special, intake, KNOWN.schema)
    rejects = dead_letter.actions(ref, special.message, intake, special.rejects, NOW_MS, "d/0/1")
    letter = dead_letter.dead_letter_record("perf.deadletter.v1", received, intake, special.rejects)
    headers = sum(len(name) + len(text) for name, text in letter.headers)
    return size + sum(len(action.text.encode()) for action in rejects) + len(letter.value or b"") + headers


def many(source: Source, rng: Random, of: bytes, times: int) -> bytes:
    """A message that holds something many times: an element, a line, a block, a pair, or a part of any text."""
    if isinstance(source.reader, JsonReader) and rng.random() < 0.6:
        numbered = [of.replace(b"0", b"%d" % rng.randint(0, 9), 1) for _ in range(min(times, 3))]
        return b"[" + b",".join([numbered[n % len(numbered)] for n in range(times)]) + b"]"
    if rng.random() < 0.5:
        return rng.choice([b"\n", b"", b"\n\n"]).join([of] * times)
    start = rng.randrange(len(of))
    stop = rng.randint(start + 1, len(of))
    return of[:start] + of[start:stop] * times + of[stop:]


@pytest.mark.parametrize("name", sorted(KNOWN.sources))
@settings(max_examples=examples(240), deadline=None)
@given(seed=st.integers(0, 2**32), times=st.sampled_from([1, 2, 3, 17, 60, 400]))
def test_output_is_at_most_sixteen_times_the_input(name: str, seed: int, times: int) -> None:
    """Whatever is repeated in a message, and whatever was put into it."""
    rng, source = Random(seed), KNOWN.sources[name]
    of = rng.choice(samples(name))
    for _ in range(rng.randint(0, 2)):
        at = rng.randrange(len(of) + 1)
        of = of[:at] + rng.choice(NASTY) * rng.choice([1, 1, 30]) + of[at:]
    value = many(source, rng, of, times)[: 1 << 19]

    assert written_bytes(reader_of(name), value) <= 16 * len(value) + 65_536


ELEMENT = {"succeeded": True, "sent": 5, "received": 5, "lost": 0, "min": "PT0.01S", "roundtrips": [], "a": "x" * 400}
LINE = b"Fri Feb 5 21:39:37 PST 2016: s.sh:69:1-2:PERF:SUBMIT_NORM:START_DATE=1454737177"
GROWING: dict[str, Callable[[int], bytes]] = {
    "perfsonar_result": lambda n: orjson.dumps([{**ELEMENT, "n": number} for number in range(n)]),
    "perfsonar": lambda n: orjson.dumps([{**ELEMENT, "n": number} for number in range(n)]),
    "iperf3_json": lambda n: orjson.dumps([{"start": {}, "end": {}, "intervals": [number]} for number in range(n)]),
    "als_perf": lambda n: b"\n".join([LINE] * n),
    "lcls_psjob": lambda n: b"\n".join([samples("lcls_psjob")[0]] * n),
    "netlogger": lambda n: b"\n".join([samples("netlogger")[0]] * n),
    "owping": lambda n: b"\n".join([samples("owping")[0]] * n),
    "owping_machine": lambda n: b"\n".join([samples("owping_machine")[0]] * n),
}


@pytest.mark.parametrize("name", sorted(GROWING))
def test_work_grows_with_the_size(name: str) -> None:
    """Twice as much in one message takes at most two and a half times the calls."""
    reader = reader_of(name)

    def calls(count: int) -> int:
        received = ConsumerRecord(Partition("t", 0), 0, NOW_MS, None, GROWING[name](count), HEAD)
        return function_calls(lambda: reader.read([received], 0))

    calls(1)  # what is made once
    assert_linear(calls, 200)


def test_an_array_of_a_thousand_results_is_written_in_little_more_than_its_size() -> None:
    """1.24 MB became 1.38 GB, since each document kept the whole message."""
    result = {**ELEMENT, "a": "x" * 1140}
    value = orjson.dumps([{**result, "n": n} for n in range(1000)])
    assert 1_200_000 < len(value) < 1_300_000

    assert written_bytes(reader_of("perfsonar_result"), value) < 3 * len(value)


def test_a_line_of_2900_pairs_is_one_reject() -> None:
    """63,868 bytes became 187 MB, in 22 seconds."""
    line = LINE[: -len("START_DATE=1454737177")] + b":".join([b"K%d_DATE=1454737177" % n for n in range(2900)])
    reader = reader_of("als_perf")

    assert written_bytes(reader, line) < 4 * len(line)
    assert function_calls(lambda: written_bytes(reader, line)) < 60_000
