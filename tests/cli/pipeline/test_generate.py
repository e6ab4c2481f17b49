"""`perflog generate` into a folder: files as hosts have them, and the truth that says where each message stands."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.sources.test_try import read_results
from tests.support.cli import perflog


def read_truth(folder: Path) -> list[dict[str, Any]]:
    """The truth of each message, with its bytes in the file."""
    entries = [json.loads(line) for line in (folder / "truth.jsonl").read_bytes().splitlines()]
    for entry in entries:
        rest = (folder / entry["file"]).read_bytes()[entry["offset_bytes"] :]
        entry["data"] = rest.partition(b"\n")[0]
    return entries


def test_files_truth_and_try_agree(tmp_path: Path) -> None:
    """The truth lists every message once, with its file and line; `perflog try` gives the same outcomes."""
    out = tmp_path / "out"
    options = ("--lines", "400", "--results", "5", "--facility", "als", "--facility", "aps", "--seed", "4")
    done = perflog("generate", str(out), *options, "--share", "torn=0.1", "--share", "glued=0.1", "--json")
    assert done.returncode == 0, done.stderr
    report, entries = json.loads(done.stdout), read_truth(out)
    runs = (out / "runs.jsonl").read_bytes().splitlines()

    assert (report["counts"]["lines"], report["counts"]["results"], report["runs"]) == (400, 5, len(runs))
    assert len(entries) == 405
    assert report["size_bytes"] == sum(len(entry["data"]) for entry in entries)
    assert {entry["file"] for entry in entries} == {
        str(path.relative_to(out)) for path in out.rglob("*") if path.is_file() and path.parent != out
    }
    file = next(entry["file"] for entry in entries if entry["reason"] == "torn")
    facts = [fact for entry in entries if entry["file"] == file for fact in entry["facts"]]
    tried = read_results(perflog("try", "--source", "als_perf", str(out / file)))
    originals = [result["document"]["event"]["original"] for result in tried if result["outcome"] == "document"]
    assert sorted(originals) == sorted(fact["original"] for fact in facts)


def test_the_same_seed_writes_the_same_files(tmp_path: Path) -> None:
    """Byte by byte; another seed other ones."""
    written = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert perflog("generate", str(tmp_path / name), "--lines", "100", "--seed", seed).returncode == 0
        paths = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        written.append([(path.relative_to(tmp_path / name), path.read_bytes()) for path in paths])

    assert written[0] == written[1] != written[2]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "No destination is given"),
        (["out", "--share", "tron=0.1"], "There is no share `tron`"),
        (["out", "--share", "torn"], "`--share torn` names no share"),
        (["out", "--share", "torn=2"], "`torn` is 2.0"),
        (["out", "--slow", "SUBMIT_NORMS=3"], "Did you mean SUBMIT_NORM?"),
        (["out", "--slow", "SUBMIT_NORM"], "could not convert string to float"),
        (["out", "--slow", "SUBMIT_NORM=3@noon"], "no ISO 8601 date-time"),
        (["out", "--slow", "SUBMIT_NORM=0"], "cannot take 0.0 times as long"),
        (["out", "--rate", "5"], "A rate is for sending"),
        (["out", "--start", "yesterday"], "no ISO 8601 date-time"),
        (["full"], "is not empty"),
        (["--intake", "als-lines"], "No rate is given"),
        (["--intake", "als-lines", "--rate", "5", "--facility", "aps"], "is of facility als"),
        (["--intake", "als-lines", "--rate", "5", "--results", "9"], "does not read results"),
        (["--intake", "nothing", "--rate", "5"], "There is no intake `nothing`"),
    ],
)
def test_invalid_options_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    """Exit code 64 and a sentence, before anything is written."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    monkeypatch.chdir(tmp_path)
    done = perflog("generate", *words)

    assert done.returncode == 64, done.stderr
    assert sentence in done.stderr.decode()
    assert not (tmp_path / "out").exists()
