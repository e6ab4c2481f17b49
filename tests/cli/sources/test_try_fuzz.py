"""`perflog try` never raises and is never silent, whatever the bytes: fuzzed for every source."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.cli.sources.try_ import command
from ingest.core.authoring.rows import as_rows
from ingest.core.decode.decoder import Decoder
from ingest.core.fields import load_schema
from ingest.core.model import Intake, Message, Outcomes, Provenance
from ingest.core.sources.framing import frames
from ingest.core.sources.loader import load_sources, sample_files
from ingest.core.sources.readers import canonical
from tests.support.amount import examples

GRAMMARS = Path(__file__).parents[3] / "grammars"
SCHEMA = load_schema(GRAMMARS / "fields.toml")
SOURCES = load_sources(GRAMMARS, SCHEMA)
NOW_MS = 1_772_668_800_000
HOSTILE = [
    b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1b[31m", b"\r", b"null", b"[]", b"{}", b'""', b"-0", b"1e999",
    b"NaN", b"9" * 400, b"[" * 600, b"\xed\xa0\x80", b"\xe2\x80\xae", b"=", b":", b"%s", b"\n", b" " * 50,
    b"PERF", b"_DATE=",
    b'{"a":' * 300, b'"\\ud800"', b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:60Z", b"PT9999999999999999H",
]  # fmt: skip


def read_messages(name: str) -> list[bytes]:
    """The source's own samples and rejects, message by message."""
    source = SOURCES[name]
    framing = "line" if any(path.suffix == ".jsonl" for path in sample_files(source.folder)) else source.framing
    return [frame.data for path in sample_files(source.folder) for frame in frames(path.read_bytes(), framing)]


def damage_samples(name: str) -> st.SearchStrategy[bytes]:
    """Samples in which up to four places were cut, overwritten or doubled, and bytes that never were samples."""
    cuts_strategy = st.tuples(
        st.floats(0, 1), st.floats(0, 1), st.one_of(st.sampled_from(HOSTILE), st.binary(max_size=8))
    )

    def damage(message: bytes, cuts: list[tuple[float, float, bytes]]) -> bytes:
        for start, size, put in cuts:
            at = int(start * len(message))
            message = message[:at] + put + message[at + int(size**4 * (len(message) - at)) :]
        return message

    return st.one_of(
        st.builds(damage, st.sampled_from(read_messages(name)), st.lists(cuts_strategy, max_size=4)),
        st.binary(max_size=400),
    )


def assert_complete(decoded: Outcomes, data: bytes) -> None:
    """Every message has a result in JSON, and a reject has its reason."""
    results = list(as_rows(decoded, 1))

    assert results, data
    assert all(result.get("reason", "") or result["outcome"] != "reject" for result in results)
    json.dumps(results)
    tree = canonical(data)
    if decoded.rejects and tree:
        in_string = tree.startswith(b'"')  # JSON within JSON: what lies inside is written otherwise there
        assert all(reject.original in data or in_string for reject in decoded.rejects)
        in_array = tree.startswith(b"[")  # the reject holds the element, be it the only one
        assert decoded.documents or len(decoded.rejects) > 1 or in_array or decoded.rejects[0].original == data


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_nothing_raises_and_nothing_is_silent(name: str) -> None:
    """A thousand messages a source (CI: a quarter), the very core that `try` runs."""
    decoder = Decoder(Intake("try", "try", "als", (name,)), SOURCES, SCHEMA)

    @settings(max_examples=examples(1000), deadline=None)
    @given(damage_samples(name))
    def fuzz(data: bytes) -> None:
        message = Message(data, NOW_MS, Provenance(captured_ms=NOW_MS), backfill=True)
        assert_complete(decoder.decode(message, NOW_MS), data)

    fuzz()


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_the_command_survives_a_file_of_them(name: str) -> None:
    """Each sample with each hostile piece in its middle, as one file: exit code 0 or 1, a row for every line."""
    lines = list(_spoilt(read_messages(name)[:6]))
    done = CliRunner().invoke(command, ["--source", name, "-"], input=b"\n".join(lines), obj=None)

    assert isinstance(done.exception, SystemExit | None), done.exception
    assert done.exit_code in {0, 1}
    results = [json.loads(result) for result in done.stdout_bytes.splitlines()]
    assert results
    if SOURCES[name].framing == "line":
        numbers = {result["line"] for result in results if "line" in result}
        documents = sum(result["outcome"] == "document" for result in results)
        assert len(numbers) + documents >= len(lines)


def _spoilt(messages: list[bytes]) -> Iterator[bytes]:
    for message in messages:
        for piece in HOSTILE:
            middle = len(message) // 2
            yield (message[:middle] + piece + message[middle:]).replace(b"\n", b" ")
