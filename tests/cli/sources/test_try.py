"""`perflog try`, as a user calls it: its standard output, its exit code."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Done, perflog, process

GRAMMARS = Path(__file__).parents[3] / "grammars"
LINE = b"Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32:1086857-64636: PERF:SUBMIT_NORM:START_DATE=1454737177"


def read_results(done: Done) -> list[dict[str, Any]]:
    """Standard output as JSON, one object a line."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_sample_becomes_35_documents() -> None:
    """Exit code 0: nothing was rejected; each row names index, id, version and document."""
    done = perflog("try", "--source", "als_perf", "--facility", "als", str(GRAMMARS / "als_perf" / "samples.log"))

    assert done.returncode == 0, done.stderr
    assert [result["outcome"] for result in read_results(done)] == ["document"] * 35
    assert set(read_results(done)[0]) == {"outcome", "index", "id", "version", "document"}
    assert read_results(done)[0]["index"] == "perf-marks-als-2016.02"


def test_rejected_and_ignored_lines_are_listed() -> None:
    """Exit code 1; a reject has reason, column and expected words, an ignored line only its number."""
    torn = LINE[: LINE.index(b"PERF") + 2]
    done = perflog("try", "--source", "als_perf", "-", stdin=b"+ qsub\n" + torn + b"\n" + LINE + b"\n")
    ignored, reject, document = read_results(done)

    assert done.returncode == 1
    assert (ignored["outcome"], ignored["line"]) == ("ignored", 1)
    assert (reject["outcome"], reject["line"], reject["reason"]) == ("reject", 2, "torn")
    assert (reject["column"], reject["expected"]) == (torn.index(b"PE") + 1, ["TAG"])
    assert reject["original"] == torn.decode()
    assert document["outcome"] == "document"


def test_a_forwarders_wrapper_is_taken_off_where_it_is_named() -> None:
    """The same id as bare; host and path are the wrapper's; a name that nobody knows is told with those there are."""
    inside = {
        "message": LINE.decode(),
        "host": {"name": "als-node-17"},
        "log": {"file": {"path": "/a.log"}, "offset": 7},
    }
    (bare,) = read_results(perflog("try", "--source", "als_perf", "-", stdin=LINE))
    done = perflog("try", "--source", "als_perf", "--wrapper", "filebeat", "-", stdin=json.dumps(inside).encode())
    (result,) = read_results(done)
    wrong = perflog("try", "--wrapper", "filebeet", "-", stdin=LINE)

    assert result["id"] == bare["id"]
    assert result["document"]["host"] == {"name": "als-node-17"}
    assert result["document"]["log"]["offset"] == 7
    assert wrong.returncode == 78
    assert b"vector" in wrong.stderr


def test_the_source_is_found_when_none_is_named() -> None:
    """Lines, JSON documents and owping text are recognised by the source that accepts them."""
    for name, kind in (("als_perf/samples.log", "marks"), ("perfsonar/samples.jsonl", "network"),
                       ("owping/samples.both.txt", "network")):  # fmt: skip
        results = read_results(perflog("try", "--facility", "als", "--zone", "-08:00", str(GRAMMARS / name)))

        assert {result["outcome"] for result in results} == {"document"}, name
        assert all(result["index"].startswith(f"perf-{kind}-als-") for result in results), name


@pytest.mark.parametrize("zone", ["Asia/Manila", "America/Los_Angeles", "UTC"])
def test_the_process_zone_changes_nothing(zone: str) -> None:
    """The same bytes, the same output, to the byte."""
    words = (
        "try",
        "--facility",
        "als",
        "--received",
        "2016-02-07T00:00:00Z",
        str(GRAMMARS / "als_perf/samples.variants.log"),
    )

    assert process(*words, TZ=zone).stdout == process(*words, TZ="Etc/GMT+11").stdout


HOSTILE = {
    "random": bytes(range(256)) * 40,
    "1 MiB line": LINE + b"x" * 2**20,
    "NUL bytes": b"\0" * 1000 + LINE,
    "bad UTF-8": LINE.replace(b"NORM", b"\xff\xfe"),
    "JSON nested 2,000 deep": b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "30-digit epoch": LINE.replace(b"1454737177", b"1" * 30),
    "NaN": LINE.replace(b"1454737177", b"NaN") + b'\n{"id": NaN}',
    "year 1": LINE.replace(b"PST 2016", b"PST 0001"),
    "JSON year 1": b'{"id":"0b7c6f0e-7c1d","test":{"type":"rtt"},"run":{"start-time":"0001-01-01T00:00:00+14:00"}}',
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_gets_verdicts_and_no_traceback(name: str) -> None:
    """Whatever the bytes: JSON rows, exit code 0 or 1, silence on stderr; what keeps the tag is never ignored."""
    for words in ((), ("--source", "als_perf"), ("--source", "perfsonar"), ("--source", "owping")):
        done = perflog("try", *words, "-", stdin=HOSTILE[name])

        assert done.returncode in {0, 1}
        assert done.stderr == b""
        assert all(
            result["outcome"] == "document" or "shape" in result or result["reason"] for result in read_results(done)
        )
        if b"PERF" in HOSTILE[name] and words == ("--source", "als_perf"):
            assert any(result["outcome"] != "ignored" for result in read_results(done))


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("try", "/nowhere/at/all.log"), 66, b"No such file"),
        (("try", "--source", "astrology", "-"), 64, b"als_perf"),
        (("try", "--received", "yesterday", "-"), 64, b"--received"),
        (("try", "--facility", "A L S", "-"), 64, b"facility"),
        (("try",), 64, b"FILE"),
        (("frobnicate",), 64, b"frobnicate"),
        (("--config", "/nowhere.toml", "try", "-"), 78, b"nowhere.toml"),
    ],
)
def test_a_wrong_call_is_one_sentence(words: tuple[str, ...], code: int, sentence: bytes) -> None:
    """The error is one sentence with a sysexits code."""
    done = perflog(*words)

    assert done.returncode == code
    assert sentence in done.stderr
    assert b"Traceback" not in done.stderr


def test_perflog_and_python_m_ingest_are_the_same() -> None:
    """The installed command and the module print the same help."""
    installed = Path(sys.executable).with_name("perflog")
    done = subprocess.run([installed, "--help"], capture_output=True, check=True)

    assert done.stdout == process("--help").stdout


def outcomes_of(words: tuple[str, ...], data: bytes) -> list[tuple[Any, ...]]:
    """What a command says of a file: outcome, line, source and reason of each message that is not blank."""
    outcomes: list[tuple[Any, ...]] = []
    for result in read_results(perflog(*words, stdin=data)):
        if result["outcome"] == "document" and "document" in result:
            outcomes.append(("document", result["document"]["perf"]["source"]))
        elif result["outcome"] == "document":
            outcomes += [("document", result["source"]) for _ in result["documents"]]
        elif result["outcome"] == "reject":
            reject = {**result, **(result["rejects"][0] if "rejects" in result else {})}
            outcomes.append(("reject", reject["source"], reject["reason"], reject["line"], reject["column"]))
        elif result.get("shape") != "blank":
            outcomes.append(("ignored", result["line"]))
    return outcomes


DOCUMENT = json.loads((GRAMMARS / "iperf3_json" / "samples.jsonl").read_text().splitlines()[0])
PRETTY = json.dumps(DOCUMENT, indent=2).encode()
LACKING = json.dumps({key: value for key, value in DOCUMENT.items() if key != "end"}, indent=2).encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PRETTY, [("document", "iperf3_json")]),
        (b"\xef\xbb\xbf" + PRETTY.replace(b"\n", b"\r\n"), [("document", "iperf3_json")]),
        (LACKING, [("reject", "iperf3_json", "shape", 1, None)]),
        (PRETTY + b"\n{}", [("reject", "iperf3_json", "json", PRETTY.count(b"\n") + 2, 1)]),
        (b'{\n  "cpu": 3\n}\n', [("reject", None, "shape", 1, None)]),
        ((GRAMMARS / "ping" / "samples.linux.txt").read_bytes(), [("document", "ping")]),
        ((GRAMMARS / "ping" / "rejects.killed.txt").read_bytes(), [("reject", "ping", "torn", 3, 62)]),
        (b"hello world\n\n" + LINE + b"\n7 files\n", [("ignored", 1), ("document", "als_perf"), ("ignored", 4)]),
        (b"", []),
    ],
    ids=[
        "pretty",
        "BOM, CRLF",
        "lacking",
        "concatenated",
        "another's",
        "ping",
        "ping killed",
        "foreign lines",
        "empty",
    ],
)
def test_a_file_is_read_alike_by_try_and_explain(data: bytes, expected: list[tuple[Any, ...]]) -> None:
    """Without a source: as one message where a source frames it so, and blamed on the source that came furthest."""
    explained = [outcome for outcome in outcomes_of(("explain", "--json"), data) if data]

    assert outcomes_of(("try", "-"), data) == expected
    assert explained == expected


def test_people_read_which_key_is_missing() -> None:
    """The first words name the source and its key, not the first source by alphabet."""
    lacking = perflog("explain", stdin=LACKING).stdout.decode()
    unknown = perflog("explain", stdin=b'{"cpu": 3}').stdout.decode()

    assert lacking.startswith("line 1: shape, says iperf3_json\n")
    assert "expected end or error" in lacking
    assert unknown.startswith("line 1: shape, says every source\n")
    assert "perfsonar_result needs succeeded" in unknown


def test_lint_reads_a_damaged_text_as_one_message(tmp_path: Path) -> None:
    """One refused message, not one for each of its lines."""
    path = tmp_path / "killed.txt"
    path.write_bytes((GRAMMARS / "ping" / "rejects.killed.txt").read_bytes())
    (finding,) = read_results(perflog("lint", str(path), "--json"))

    assert (finding["rule"], finding["lines"], finding["of"]) == ("refused", 1, 1)
    assert perflog("lint", "-", "--json", stdin=PRETTY).stdout == b""


PREFIX = b"<13>Feb  5 21:39:38 als-node-17 perf[42]: "


def test_a_syslog_prefix_is_guessed_and_said() -> None:
    """One sentence names what was assumed and the setting by which `run` does the same; `--prefix` says it instead."""
    data = PREFIX + LINE + b"\n" + PREFIX + b"oops\n"
    guessed, declared, bare = (
        perflog("try", "--source", "als_perf", "--received", "2016-02-06T12:00:00Z", *words, "-", stdin=data)
        for words in ((), ("--prefix", "syslog"), ("--prefix", "none"))
    )
    (expected,) = read_results(perflog("try", "--source", "als_perf", "-", stdin=LINE))
    document, ignored = read_results(guessed)

    assert (document["id"], ignored["outcome"]) == (expected["id"], "ignored")
    assert document["document"]["host"] == {"name": "als-node-17"}
    assert document["document"]["log"]["offset"] == len(PREFIX)
    assert (guessed.stderr.count(b"\n"), b'`prefix = "syslog"`' in guessed.stderr) == (1, True)
    assert (read_results(declared), declared.stderr) == (read_results(guessed), b"")
    assert ([result["outcome"] for result in read_results(bare)], bare.stderr) == (["reject", "ignored"], b"")


@pytest.mark.parametrize(
    "data",
    [
        LINE.removeprefix(b"Fri ") + b"\n" + LINE + b"\n",  # `Feb 5 21:39:37 PST 2016:` looks like a prefix
        PREFIX + b"oops\n" + LINE + b"\n",
        LINE + b"\n",
    ],
)
def test_no_prefix_is_guessed_where_lines_are_read_as_they_stand(data: bytes) -> None:
    """A line of syslog among them does not hide the others."""
    done = perflog("try", "--source", "als_perf", "-", stdin=data)

    assert done.stderr == b""
    assert "document" in {result["outcome"] for result in read_results(done)}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_file_of_utf16_is_read_by_its_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    """Each line is the fact that it is in UTF-8, at its place in the file; without a mark it is a reject."""
    text = f"{LINE.decode()}\r\n+ qsub\r\n{LINE.decode()}\r\n"
    marked, unmarked = tmp_path / "marked.log", tmp_path / "unmarked.log"
    marked.write_bytes(f"\ufeff{text}".encode(encoding))
    unmarked.write_bytes(text.encode(encoding))
    (expected,) = read_results(perflog("try", "--source", "als_perf", "-", stdin=LINE))
    first, ignored, last = read_results(perflog("try", "--source", "als_perf", str(marked)))
    rejects = [
        result
        for result in read_results(perflog("try", "--source", "als_perf", str(unmarked)))
        if result["outcome"] == "reject"
    ]

    assert (first["id"], ignored["outcome"], last["id"]) == (expected["id"], "ignored", expected["id"])
    assert last["document"]["log"]["offset"] == 2 * (1 + len(LINE) + 2 + len("+ qsub\r\n"))
    assert {reject["reason"] for reject in rejects} == {"encoding"}
