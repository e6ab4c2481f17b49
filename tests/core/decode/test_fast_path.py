"""The short way and the general way say the same of every line that the short way takes."""

from collections.abc import Callable

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.core.bulk import request_body
from ingest.core.cache import CACHE_ENTRIES, Cache
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_path import FastPath, RecordContext, fast_path
from ingest.core.model import Intake, Message, Provenance
from ingest.core.sources.source import Source
from tests.core.conftest import GRAMMARS
from tests.core.sources.test_regular import LINES
from tests.support.amount import examples
from tests.support.derived import shipped

NOW_MS, INGESTED_MS = 1454803200123, 1454803201000
ORIGIN = Provenance("als-node-17", "/data/als 1/tomography.log", 0, None, None)
PLACE = RecordContext("perf.als.lines.v1/3/", backfill=True, ingested_ms=INGESTED_MS)
SAMPLES = [
    line
    for name in ("samples.log", "samples.variants.log", "rejects.log")
    for line in (GRAMMARS / "als_perf" / name).read_bytes().split(b"\n")
]


def message(data: bytes, offset: int = 7) -> Message:
    """A message of the origin."""
    provenance = Provenance(ORIGIN.host, ORIGIN.path, offset, None, f"perf.als.lines.v1/3/{offset}")
    return Message(data, NOW_MS, provenance, backfill=True)


def same(path: FastPath, decoder: Decoder, data: bytes) -> bool:
    """Whether the short way took the line; if it did, it wrote what the general way makes of it, to the value."""
    sent = message(data)
    mark = path.reader()(data)
    action = path.writer(PLACE)(mark, data, NOW_MS, "7", 7) if mark else None
    if action is None:
        return False
    (document,) = decoder.decode(sent, INGESTED_MS).documents

    head, body, end = request_body([action]).split(b"\n")
    told_of = {"_index": document.index, "_id": document.id, "version": document.version, "version_type": "external"}

    assert orjson.loads(head) == {"index": told_of}
    assert orjson.loads(body) == document.body == orjson.loads(action.json)
    assert action[:2] == (document.index, document.id)
    assert end == b""
    return True


@pytest.fixture
def paths(flow_of: Callable[..., Decoder], sources: dict[str, Source]) -> tuple[FastPath, Decoder]:
    """The short way and the flow it shortens."""
    decoder = flow_of("als_perf")
    path = fast_path(decoder, sources["als_perf"], ORIGIN)
    assert path is not None
    return path, decoder


def test_every_line_of_the_sample_is_plain(paths: tuple[FastPath, Decoder]) -> None:
    """The first time it is learnt, the second time it is known; both times the same is written."""
    for _ in range(2):
        assert all(same(*paths, line) for line in (GRAMMARS / "als_perf" / "samples.log").read_bytes().splitlines())


def test_variants_and_rejects_are_never_told_otherwise(paths: tuple[FastPath, Decoder]) -> None:
    """Whatever the short way takes of them, it takes rightly, in any order, and it takes no line that is refused."""
    for line in SAMPLES * 2 + SAMPLES[::-1]:
        same(*paths, line)


@settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, min_size=2, max_size=6), data=st.data())
def test_generated_lines(paths: tuple[FastPath, Decoder], lines: list[str], data: st.DataObject) -> None:
    """Lines from the grammar and near misses of real lines, after whatever was learnt before them."""
    real = SAMPLES[data.draw(st.integers(0, 34))].decode()
    at = data.draw(st.integers(0, len(real) - 1))
    near = (
        real[:at]
        + data.draw(st.sampled_from(["", real[at] * 2, ":", " ", "=", '"', "\\", "9", "\t", "é"]))
        + real[at + 1 :]
    )

    for line in [*lines, real, near]:
        same(*paths, line.encode())


@pytest.mark.parametrize(
    "second",
    [
        "Fri Feb 5 12:39:37 PM PST 2016", "Fri Feb 5 12:39:37 AM PST 2016", "Fri Feb 5 09:39:37 PM PST 2016",
        "Fri Feb 5 21:39:37 PDT 2016", "Fri Feb 5 24:00:00 PST 2016", "Fri Feb 5 21:39:60 PST 2016",
        "Sat Feb 5 21:39:38 PST 2016", "2016-02-05T21:39:38-08:00", "2016-02-06T05:39:38Z", "2016-02-05T21:39:38",
        "Fri Feb 5 21:39:38 2016", "Fri Feb 5 21:39:38 XYZ 2016", "Fri Feb  5 21:39:38 PST 2016",
        "2016-02-05 21:39:38-08:00", "2016-02-05 21:39:38.250-08:00", "2016-02-05 21:39:38 -0800",
        "2016-02-05 21:39:38", "2016-02-05 21:39:38 PST", "2016-02-05T21:39:38-08", "Sat Feb 6 08:39:38 +03 2016",
        "Sat Feb 6 08:39:38 +0300 2016",
    ],
)  # fmt: skip
def test_what_was_learnt_of_one_stamp_misleads_no_other(paths: tuple[FastPath, Decoder], second: str) -> None:
    """Stamps that share a day, a clock or a zone with known ones, in both orders."""
    rest = ": submitRotJob.sh:65:1086857-64636:PERF:SUBMIT_ROT:START_DATE=1454737177"
    learnt = [f"Fri Feb 5 {clock} PST 2016{rest}" for clock in ("21:39:37", "21:39:38", "12:39:37", "00:00:01")]

    for stamp in [*learnt, second + rest, *learnt, second + rest]:
        same(*paths, stamp.encode())


@given(lags_s=st.lists(st.integers(-7200, 7200), min_size=1, max_size=8), key=st.sampled_from(["START", "QSTART"]))
def test_a_stamp_of_any_lag_is_told_alike(lags_s: list[int], key: str) -> None:
    """Late, ahead or in another zone, after whatever was learnt before: the short way takes no doubtful line."""
    registry = shipped(GRAMMARS)
    decoder = Decoder(Intake("t", "t", "als", ("als_perf",)), registry.sources, registry.schema)
    path = fast_path(decoder, registry.sources["als_perf"], ORIGIN)
    assert path is not None

    for lag_s in [0, *lags_s]:
        value = 1_454_737_177 - lag_s
        line = f"Fri Feb 5 21:39:37 PST 2016: submitRotJob.sh:65:1-2:PERF:SUBMIT_ROT:{key}_DATE={value}"
        assert same(path, decoder, line.encode()) == (-2 <= lag_s <= 900)


def test_a_run_id_too_long_for_a_name_is_left_to_the_general_way(paths: tuple[FastPath, Decoder]) -> None:
    """Also when all else of its line is known: the general way refuses it, and says why."""
    path, decoder = paths
    line = SAMPLES[0].decode()
    run = line.split(":")[5]
    fits, longer = (line.replace(run, "r" * size).encode() for size in (1024, 1025))
    assert same(path, decoder, line.encode())
    assert same(path, decoder, fits)

    assert path.reader()(longer) is None
    assert [reject.reason for reject in decoder.decode(message(longer), INGESTED_MS).rejects] == ["value"]


def test_a_future_or_overaged_line_is_left_to_the_general_way(paths: tuple[FastPath, Decoder]) -> None:
    """Which refuses it, and says why."""
    path, decoder = paths
    line = SAMPLES[0]
    mark = path.reader()(line)
    assert mark is not None

    for record_ms in (NOW_MS - 3 * 86_400_000, NOW_MS + 500 * 86_400_000):
        late = Message(line, record_ms, ORIGIN)
        assert path.writer(PLACE._replace(backfill=False))(mark, line, record_ms, "7", 7) is None
        assert decoder.decode(late, INGESTED_MS).rejects


def test_json_sources_have_no_short_way(flow_of: Callable[..., Decoder], sources: dict[str, Source]) -> None:
    """And say so by None."""
    assert fast_path(flow_of("perfsonar"), sources["perfsonar"], ORIGIN) is None


def test_a_cache_stays_bounded() -> None:
    """It forgets everything when it is full, and goes on."""
    cache: Cache[int, int] = Cache(lambda key: key)
    for key in range(CACHE_ENTRIES + 10):
        assert cache[key] == key

    assert len(cache) <= CACHE_ENTRIES
