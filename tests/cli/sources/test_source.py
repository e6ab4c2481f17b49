"""A new source is a folder of data: no Python is touched, and every command knows it at once."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingest.cli.main import cli
from ingest.core.authoring.catalogue import BEGIN, END
from ingest.core.model import Problem

GRAMMARS = Path(__file__).parents[3] / "grammars"

FIELD = """
[[field]]
name = "perf.stage.bytes"
type = "long"
kinds = ["marks"]
unit = "bytes"
doc = "How much the stage read."
"""
GRAMMAR = """start: STAMP _BAR RUN _BAR STAGE _BAR BYTES
STAMP: /[0-9-]{10}T[0-9:]{8}Z/
RUN: /[a-z0-9]+/
STAGE: /[A-Z]+/
BYTES: /[0-9]{1,18}/
_BAR: "|"
"""
TOML = """revision = 1
summary = "Lines of the beam's recorder"
kind = "marks"
reader = "grammar"
framing = "line"
identity = ["facility", "bytes"]
max_bytes = 4096
read = [
    { field = "@timestamp", from = ["STAMP"], as = "time" },
    { field = "perf.run.id", from = ["RUN"], as = "text" },
    { field = "perf.stage.name", from = ["STAGE"], as = "text" },
    { field = "perf.stage.bytes", from = ["BYTES"], as = "integer" },
]
"""
LINE = "2026-03-04T19:20:05Z|r17|COPY|4096"
LINT = """[[rule]]
name = "empty_stage"
kinds = ["marks"]
token = { BYTES = "0+" }
costs = "Nothing was read, and nobody is told."
fix = "ls -l INPUT"
"""


def perflog(*words: object, stdin: str = "") -> Result:
    """Call the command line in this process."""
    return CliRunner().invoke(cli, [str(word) for word in words], input=stdin)


@pytest.fixture
def grammars(tmp_path: Path) -> Path:
    """A copy of what ships to add to: all that sources share, and one source of each kind of reader."""
    folder = tmp_path / "grammars"
    folder.mkdir()
    for path in GRAMMARS.glob("*.toml"):
        shutil.copy(path, folder)
    for name in ("als_perf", "perfsonar"):
        shutil.copytree(GRAMMARS / name, folder / name)
    return folder


@pytest.fixture
def beam(grammars: Path) -> Path:
    """The same with a field and a source more, in the way that README tells."""
    (grammars / "fields.toml").write_text((grammars / "fields.toml").read_text() + FIELD)
    folder = grammars / "beam"
    folder.mkdir()
    for name, text in (("grammar.lark", GRAMMAR), ("source.toml", TOML), ("samples.log", LINE + "\n"),
                       ("lint.toml", LINT), ("rejects.log", LINE[:-5] + "\n")):  # fmt: skip
        (folder / name).write_text(text)
    return grammars


def test_try_fills_the_new_field(beam: Path) -> None:
    """The value stands in the document under the field's name, as its type."""
    done = perflog("try", "--grammars", beam, "-", stdin=LINE)

    assert json.loads(done.stdout)["document"]["perf"]["stage"] == {"name": "COPY", "bytes": 4096}


def test_explain_reads_with_the_new_grammar(beam: Path) -> None:
    """The token of the new terminal, the field it became with its unit; of a refused line the place and the example."""
    done = perflog("explain", "--grammars", beam, LINE)
    rejected = perflog("explain", "--grammars", beam, LINE.replace("COPY", "copy"))

    assert done.exit_code == 0
    assert "read by beam" in done.stdout
    assert "4096 bytes" in done.stdout
    assert rejected.exit_code == 1
    assert "stage, e.g. `COPY`" in rejected.stdout
    assert LINE in rejected.stdout


def test_lint_uses_the_new_rules_and_the_common_ones(beam: Path) -> None:
    """Its own rule by its terminal; the place is the stage where a line names no script."""
    done = perflog("lint", "--grammars", beam, "--json", "-", stdin=LINE.replace("4096", "0"))
    sites = {finding["rule"]: finding["site"] for finding in map(json.loads, done.stdout.splitlines())}

    assert sites == {"empty_stage": "COPY"}


def test_sources_lists_it_with_its_field(beam: Path) -> None:
    """Unit and meaning from fields.toml, the terminal from its table."""
    done = perflog("sources", "--grammars", beam, "beam")

    assert "Lines of the beam's recorder" in done.stdout
    assert "How much the stage read." in done.stdout
    assert "BYTES" in done.stdout


def test_source_check_holds_it_to_its_samples(beam: Path) -> None:
    """Not accepted yet: refused; accepted: passed; the mapping of the index has the field."""
    before = perflog("source", "--grammars", beam, "check")
    perflog("source", "--grammars", beam, "accept", "beam")
    after = perflog("source", "--grammars", beam, "check")

    assert isinstance(before.exception, Problem)
    assert after.exit_code == 0, after.output
    files = json.loads((beam / "beam" / "samples.json").read_text())["files"]
    assert [sample["outcome"] for sample in files["samples.log"]] == ["document"]
    assert [sample["outcome"] for sample in files["rejects.log"]] == ["reject"]


def test_a_sample_that_two_sources_read_is_refused(beam: Path) -> None:
    """The same format under two names could not share an intake."""
    perflog("source", "--grammars", beam, "accept", "beam")
    shutil.copytree(beam / "beam", beam / "beam_twin")
    done = perflog("source", "--grammars", beam, "check")

    assert isinstance(done.exception, Problem)
    assert "beam/samples.log is read by beam_twin too" in str(done.exception)


@pytest.mark.parametrize("reader", ["grammar", "json"])
def test_a_made_source_passes_at_once(tmp_path: Path, reader: str) -> None:
    """Beside all that ship: checked; its samples become documents, its rejects none."""
    grammars = Path(shutil.copytree(GRAMMARS, tmp_path / "grammars"))
    created = perflog("source", "--grammars", grammars, "new", "mine", "--reader", reader)
    checked = perflog("source", "--grammars", grammars, "check")
    files = json.loads((grammars / "mine" / "samples.json").read_text())["files"]

    assert created.exit_code == 0, created.output
    assert checked.exit_code == 0, checked.exception
    for name, outcomes in files.items():
        kinds = {sample["outcome"] for sample in outcomes}
        assert kinds == {"document"} if name.startswith("samples") else "reject" in kinds and "document" not in kinds


def test_two_made_sources_do_not_read_each_other(grammars: Path) -> None:
    """Each answers to its own name only, so that both can be changed in peace."""
    for name, reader in (("mine", "grammar"), ("mine2", "grammar"), ("paths", "json"), ("paths2", "json")):
        assert perflog("source", "--grammars", grammars, "new", name, "--reader", reader).exit_code == 0
    assert perflog("source", "--grammars", grammars, "check").exit_code == 0


def test_a_made_source_teaches(grammars: Path) -> None:
    """Both files say in comments what to change, and explain works on the first sample."""
    perflog("source", "--grammars", grammars, "new", "mine")
    sample = (grammars / "mine" / "samples.log").read_text().splitlines()[0]

    assert (grammars / "mine" / "grammar.lark").read_text().count("\n//") > 4
    assert (grammars / "mine" / "source.toml").read_text().count("#") > 8
    assert "read by mine" in perflog("explain", "--grammars", grammars, sample).stdout


@pytest.mark.parametrize("name", ["als_perf", "Mine", "../mine", "fields.toml", "9lives", "", "a" * 41, "mine/deep"])
def test_a_bad_name_makes_nothing(grammars: Path, name: str) -> None:
    """Neither what exists nor what cannot be a folder's and a Kafka word's name; nothing is left behind."""
    before = sorted(grammars.rglob("*"))
    done = perflog("source", "--grammars", grammars, "new", name)

    assert isinstance(done.exception, Problem)
    assert done.exception.exit_code == 64
    assert sorted(grammars.rglob("*")) == before


def test_the_readme_of_the_folder_is_kept_true(grammars: Path) -> None:
    """Its table of sources has the new row; what stands around the table is untouched."""
    readme = grammars / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    perflog("source", "--grammars", grammars, "new", "mine")
    text = readme.read_text()

    assert text.startswith(f"before\n{BEGIN}\n| source |")
    assert text.endswith(f"{END}\nafter\n")
    assert "| `mine` |" in text
    assert "old" not in text
