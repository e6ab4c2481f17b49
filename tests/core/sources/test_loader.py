"""A source is a folder; what is wrong with it is said at loading, and its samples hold."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from lark import Lark
from lark.exceptions import LarkError

from ingest.core.authoring.samples import accepted, outcomes, read_by_two, write
from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema
from ingest.core.model import Intake, Message, ParsedMessage, Problem
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.loader import load_source
from ingest.core.sources.readers import JsonReader
from ingest.core.sources.source import Source
from tests.core.conftest import GRAMMARS
from tests.support.revisions import raise_revision

NAMES = sorted(path.parent.name for path in GRAMMARS.glob("*/source.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_samples_become_what_samples_json_says(name: str, sources: dict[str, Source], schema: Schema) -> None:
    """The promise of every source, at the revision it is written for."""
    source = sources[name]
    promised = accepted(source)

    assert promised["revision"] == source.revision
    assert outcomes(source, schema, promised) == promised
    assert any(row["outcome"] == "document" for rows in promised["files"].values() for row in rows)


def test_no_sample_is_read_by_two_sources(sources: dict[str, Source], schema: Schema) -> None:
    """Two formats that accept the same bytes could not share an intake."""
    assert read_by_two(sources, schema) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of als_perf to spoil."""
    return Path(shutil.copytree(GRAMMARS / "als_perf", tmp_path / "als_perf"))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('field = "perf.run.id"', 'field = "perf.run.identity"', "perf.run.identity"),
        ('as = "basename"', 'as = "base64"', "base64"),
        ('kind = "marks"', 'kind = "remarks"', "remarks"),
        ("revision = ", "revision = 0 # ", "revision"),
        ("revision = ", "reversion = ", "reversion"),
        ('reader = "grammar"', 'reader = "crystal ball"', "crystal ball"),
        ('PST = "-08:00"', 'PST = "somewhere"', "somewhere"),
        ('identity = ["facility", "bytes", "ordinal"]', 'identity = ["luck"]', "luck"),
        ('function = "stage"', 'function = "magic"', "magic"),
        ("revision = ", 'list = "DATA"\nrevision = ', "`list` names a member of a JSON object"),
    ],
)
def test_a_wrong_source_does_not_load(folder: Path, old: str, new: str, says: str, schema: Schema) -> None:
    """The message names what is wrong; the exit code is that of bad configuration."""
    path = folder / "source.toml"
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(Problem, match=says) as caught:
        Decoder(Intake("i", "t", "als", ("als_perf",)), {"als_perf": load_source(folder, schema)}, schema)

    assert caught.value.exit_code == 78


def test_a_grammar_that_does_not_compile_does_not_load(folder: Path, schema: Schema) -> None:
    """Lark's own words are passed on."""
    (folder / "grammar.lark").write_text("start: NOWHERE\n")

    with pytest.raises(Problem, match="NOWHERE"):
        load_source(folder, schema)


def test_every_shipped_grammar_is_lalr(sources: dict[str, Source]) -> None:
    """Lark's parser is built late; here it is built for all, so that no conflict waits for the first refused line."""
    for source in sources.values():
        source.prove()


@pytest.mark.parametrize("path", sorted(GRAMMARS.glob("*/grammar.lark")), ids=lambda path: path.parent.name)
def test_no_two_terminals_of_a_grammar_collide(path: Path) -> None:
    """Lark's strict mode: nowhere would it have to choose between two readings of the same bytes."""
    text = path.read_text(encoding="utf-8")

    assert Lark(text, parser="lalr", lexer="contextual", maybe_placeholders=False, strict=True)
    with pytest.raises(LarkError, match="Collision"):
        Lark("start: A | B\nA: /a+/\nB: /[ab]+/\n", parser="lalr", lexer="contextual", strict=True)


def test_a_conflict_in_a_grammar_is_told() -> None:
    """Two ways to read the same: the expression may be made, proving says what is wrong."""
    reader = GrammarReader('start: one | two\none: A\ntwo: A\nA: "a"\n', "twofold", None)

    with pytest.raises(Problem, match="twofold does not compile"):
        reader.prove()


def test_a_source_without_samples_does_not_load(folder: Path, schema: Schema) -> None:
    """Nobody could tell what it is for."""
    for path in folder.glob("samples*"):
        path.unlink()

    with pytest.raises(Problem, match="no samples"):
        load_source(folder, schema)


def test_changed_outcomes_need_a_raised_revision(folder: Path, schema: Schema) -> None:
    """Documents already stored are corrected only by a higher revision, so a changed rule must not keep the old one."""
    path = folder / "source.toml"
    path.write_text(path.read_text().replace('family = "NORM"', 'family = "NORMALISE"'))
    source = load_source(folder, schema)

    with pytest.raises(Problem, match="revision"):
        write(source, outcomes(source, schema, accepted(source)))

    revision = raise_revision(folder)
    raised = load_source(folder, schema)
    write(raised, outcomes(raised, schema, accepted(raised)))

    assert accepted(raised)["revision"] == revision == source.revision + 1


def ignoring(folder: Path, schema: Schema) -> Decoder:
    """A decoder for als_perf that declares the lines of one script to be ignored, beside a source of another shape."""
    declared = '[[ignore]]\nshape = "chatter"\nfrom = "SCRIPT"\nmatches = "chatter.*"\n'
    (folder / "source.toml").write_text((folder / "source.toml").read_text() + declared)
    sources = {"als_perf": load_source(folder, schema), "perfsonar": load_source(GRAMMARS / "perfsonar", schema)}
    return Decoder(Intake("t", "t", "als", ("als_perf", "perfsonar")), sources, schema)


@pytest.mark.parametrize(("script", "outcome"), [("Chatter.sh", "chatter"), ("submitRotJob.sh", None)])
def test_a_record_that_its_source_declares_to_be_ignored_is(
    folder: Path, schema: Schema, script: str, outcome: str | None
) -> None:
    """It is counted under the declared shape, and no other source of the intake makes a reject of it."""
    line = f"Fri Feb 5 21:39:37 PST 2016: {script}:65:1086857-64636:PERF:SUBMIT_ROT:START_DATE=1454737177"
    outcomes = ignoring(folder, schema).decode(Message(line.encode(), 1_454_737_178_000), 0)

    assert [ignored.shape for ignored in outcomes.ignored] == ([outcome] if outcome else [])
    assert (len(outcomes.documents), outcomes.rejects) == (0 if outcome else 1, ())


@pytest.mark.parametrize(
    ("declared", "message", "shape"),
    [
        ('begins = "<statistics "', b'<statistics tod="1"/>', "other_kind"),
        ('begins = "<statistics "', b'{"test":"<statistics "}', None),
        ('matches = "HTTP_[A-Z]+"', b'{"HTTP_GET":{},"HTTP_PUT":{}}', "other_kind"),
        ('matches = "HTTP_[A-Z]+"', b'{"HTTP_GET":{},"run":{}}', None),
        ('matches = "HTTP_[A-Z]+"', b"{}", None),
        ('from = "a.b"\nmatches = ".*"', b'{"a":{"b":"x\\ny"}}', "other_kind"),
        ('from = "a.b"\nmatches = ".*"', b'{"a":{"b":1}}', None),
    ],
)
def test_a_message_is_ignored_by_how_it_begins_by_all_its_names_or_by_a_value(
    tmp_path: Path, schema: Schema, declared: str, message: bytes, shape: str | None
) -> None:
    """Also one that the source's reader cannot read; whatever fits no declaration is a reject as before."""
    copy = tmp_path / "perfsonar"
    shutil.copytree(GRAMMARS / "perfsonar", copy)
    text = (copy / "source.toml").read_text()
    (copy / "source.toml").write_text(f'{text}\n[[ignore]]\nshape = "other_kind"\n{declared}\n')
    sources = {"perfsonar": load_source(copy, schema)}
    outcomes = Decoder(Intake("t", "t", "als", ("perfsonar",)), sources, schema).decode(Message(message, 0), 0)

    assert [ignored.shape for ignored in outcomes.ignored] == ([shape] if shape else [])
    assert len(outcomes.rejects) == (0 if shape else 1)


@pytest.mark.parametrize(("mark", "documents"), [("", 0), ("?", 1)])
def test_a_record_may_lack_a_part_of_its_identity_that_is_marked_so(
    tmp_path: Path, schema: Schema, mark: str, documents: int
) -> None:
    """A state that tells nothing of its kind still is a fact; without the mark it is a reject."""
    copy = tmp_path / "iperf3_json"
    shutil.copytree(GRAMMARS / "iperf3_json", copy)
    text = (copy / "source.toml").read_text()
    (copy / "source.toml").write_text(text.replace('"ordinal"]', f'"perf.network.task_id{mark}"]'))
    source = load_source(copy, schema)
    message = Message((copy / "samples.jsonl").read_bytes().split(b"\n")[0], 1_772_700_000_000, backfill=True)
    made = Decoder(Intake("t", "t", "als", ("iperf3_json",)), {"iperf3_json": source}, schema).decode(
        replace(message, provenance=replace(message.provenance, captured_ms=1_772_652_000_000)), 0
    )

    assert len(made.documents) == documents
    assert [reject.reason for reject in made.rejects] == ["identity"] * (1 - documents)


def test_json_may_end_with_an_end_of_transmission() -> None:
    """Brokers of FTS append 0x04; inside the text it stays a fault."""
    assert isinstance(JsonReader().read(b'{"a":1}\x04'), ParsedMessage)
    assert isinstance(JsonReader().read(b'{"a":1} \n\x04\n'), ParsedMessage)
    assert not isinstance(JsonReader().read(b'{"a":\x041}'), ParsedMessage)
