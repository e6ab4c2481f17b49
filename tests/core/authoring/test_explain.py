"""An explanation says what the pipeline does: which token became which field, or where and why reading stopped."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.core.authoring.explain import Explainer
from ingest.core.authoring.explanation import Explanation
from ingest.core.authoring.lineage import InputPart, lineage
from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema, load_schema
from ingest.core.lookup import lookup
from ingest.core.model import Intake, Message, ParsedMessage
from ingest.core.sources.event import Context
from ingest.core.sources.framing import frames, framing_of
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.loader import load_sources, sample_files
from ingest.core.sources.source import Source
from ingest.core.timestamps import iso_ms
from tests.core.conftest import GRAMMARS
from tests.support.amount import examples

RECEIVED_MS = iso_ms("2026-03-05T00:00:00Z")
LINE = (
    "Fri Feb 5 21:39:39 PST 2016: submitPostGalJob.sh:69:1084664-62990: "
    "PERF:SUBMIT_GAL-jpgs-rc-gridrec:START_DATE=1454737177"
)
SCHEMA = load_schema(GRAMMARS / "fields.toml")
SOURCES = load_sources(GRAMMARS, SCHEMA)
Explain = Callable[..., Explanation]


def explained(data: bytes | str, *names: str) -> Explanation:
    """Explain a message by the named sources, by all of them when none is named."""
    intake = Intake("test", "test", "als", names or tuple(SOURCES))
    raw = data.encode() if isinstance(data, str) else data
    return Explainer(intake, SOURCES, SCHEMA).explain(Message(raw, RECEIVED_MS, backfill=True))


def fields_by_token(explanation: Explanation) -> dict[str, set[str]]:
    """Terminal or path -> the fields it became."""
    by_token: dict[str, set[str]] = {}
    for token in explanation.tokens:
        by_token.setdefault(token.name, set()).update(name for _, name in token.fields)
    return by_token


def test_every_token_of_a_workflow_line_is_told_with_its_fields() -> None:
    """The tokens are those of the grammar, the fields those of the document."""
    explanation = explained(LINE)
    fields = fields_by_token(explanation)

    assert (explanation.outcome, explanation.source) == ("document", "als_perf")
    assert fields["SCRIPT"] == {"log.origin.file.name"}
    assert fields["LINE"] == {"log.origin.file.line"}
    assert fields["RUN"] == {"perf.run.id"}
    assert fields["STAGE"] == {"perf.stage.name", "perf.stage.family", "perf.stage.product", "perf.stage.variant"}
    assert {"@timestamp", "perf.mark.emit_lag_s"} <= fields["VALUE"]
    assert {"perf.mark.key", "perf.mark.role"} <= fields["KEY"]
    assert fields["ZONE"] >= {"event.timezone", "perf.mark.logged"}
    assert all("perf.mark.logged" in fields[part] for part in ("MONTH", "DAY", "CLOCK", "YEAR"))


def test_derived_fields_bear_the_rule_they_come_from() -> None:
    """The family its prefix, the lag what it is the difference of, a flag its meaning."""
    explanation = explained(LINE)
    rules = {field.field: field for field in explanation.documents[0].fields}

    assert "SUBMIT_GAL" in rules["perf.stage.family"].rule
    assert rules["perf.stage.variant"].value == "rc-gridrec"
    assert rules["perf.mark.emit_lag_s"].value == 2
    assert rules["perf.mark.emit_lag_s"].unit == "s"
    assert rules["perf.mark.emit_lag_s"].rule.startswith("Stamp minus value")
    assert rules["perf.mark.role"].rule == "a key that ends in START_DATE"
    assert rules["perf.facility"].how == "outside"
    assert dict(explanation.documents[0].flags)["blank_before_tag"] == SCHEMA.flags["blank_before_tag"]
    assert any(("blank_before_tag" in [flag for _, flag in token.flags]) for token in explanation.tokens)


def test_the_tokens_are_the_text() -> None:
    """Put together they are the line, to the character: a colour begins where its token does."""
    explanation = explained(LINE)

    assert "".join(token.text for token in explanation.tokens) == LINE
    assert all(explanation.text[token.start : token.end] == token.text for token in explanation.tokens)


def test_each_pair_of_a_line_is_told_of_its_own_document() -> None:
    """Two instants, two documents: the second key is not the first's."""
    explanation = explained(f"{LINE}:END_DATE=1454737178")
    keys = {token.text: {number for number, _ in token.fields} for token in explanation.tokens if token.name == "KEY"}

    assert len(explanation.documents) == 2
    assert keys == {"START_DATE": {0}, "END_DATE": {1}}


def test_json_is_told_by_paths() -> None:
    """The path of a value, the field it became, units converted."""
    first = (GRAMMARS / "perfsonar" / "samples.jsonl").read_bytes().splitlines()[0]
    fields = fields_by_token(explained(first))

    assert "perf.network.throughput_bps" in fields["result.summary.summary.throughput-bits"]
    assert "perf.network.tcp_rtt_mean_ms" in fields["result.summary.streams.0.rtt"]
    assert "source.address" in fields["test.spec.source"]
    assert "perf.network.throughput_bps" not in fields["test.type"]


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_what_is_told_of_a_sample_is_its_document(name: str) -> None:
    """For every sample of every source: the outcome is the flow's, every field and value that of the document."""
    source = SOURCES[name]
    decoder = Decoder(Intake("test", "test", "als", (name,)), SOURCES, SCHEMA)
    for path in sample_files(source.folder):
        data = path.read_bytes()
        for frame in frames(data, framing_of(source, path.name, data)):
            outcomes = decoder.decode(Message(frame.data, RECEIVED_MS, backfill=True), RECEIVED_MS)
            explanation = explained(frame.data, name)

            assert len(explanation.documents) == len(outcomes.documents)
            assert bool(explanation.rejects) == bool(outcomes.rejects)
            for explained_document, document in zip(explanation.documents, outcomes.documents, strict=True):
                assert explained_document.document.id == document.id
                assert all(
                    lookup(explained_document.document.body, field.field) == field.value
                    for field in explained_document.fields
                )


def test_most_of_what_a_source_reads_is_traced_to_a_token() -> None:
    """Of als_perf's fields that come from the line, none is without the token it was made of."""
    for line in (GRAMMARS / "als_perf" / "samples.log").read_text().splitlines():
        document = explained(line, "als_perf").documents[0]

        assert [
            f.field for f in document.fields if f.how != "outside" and not f.tokens and f.field != "perf.flags"
        ] == []


def test_a_part_that_decides_is_told_apart_from_one_that_becomes() -> None:
    """Whether a test succeeded decides whether there is a throughput; it does not make it."""
    first = (GRAMMARS / "perfsonar" / "samples.jsonl").read_bytes().splitlines()[0]
    source = SOURCES["perfsonar"]
    record = source.reader.read(first)
    assert isinstance(record, ParsedMessage)
    context = Context(source, Intake("t", "t", "als", ("perfsonar",)), Message(first, RECEIVED_MS), {})
    fed = lineage(record, context)[InputPart("result.succeeded")]

    assert (0, "perf.network.throughput_bps") in fed.decides
    assert (0, "event.outcome") in fed.fields


SHORT = LINE[: LINE.index(":START_DATE")]
TORN = LINE[: LINE.index("PERF") + 2]
REFUSED = [
    (TORN, "torn", "PE", "the word PERF"),
    (SHORT.replace("PERF", "PREF"), "tag", "PREF", "the word PERF"),
    (LINE.replace("Feb 5", "Feb 30"), "stamp", "30", "time that exists"),
    (LINE.replace("1454737177", "NaN"), "value", "NaN", "unix time"),
    (LINE.replace("Feb 5", "Feb"), "syntax", ":39:39", "blank"),
]


@pytest.mark.parametrize(("line", "reason", "at", "expected"), REFUSED)
def test_a_refused_line_is_told_with_place_words_and_an_accepted_form(
    line: str, reason: str, at: str, expected: str
) -> None:
    """The caret's place, what would have done there in words, and a form that is truly accepted."""
    refusal = explained(line).rejects[0]

    assert (refusal.source, refusal.reject.reason) == ("als_perf", reason)
    assert refusal.at is not None
    assert line[refusal.at :].startswith(at)
    assert any(words.startswith(expected) for _, words in refusal.expected)
    assert refusal.nearest is not None
    assert explained(refusal.nearest.text, "als_perf").outcome == "document"


def test_the_smallest_repair_is_offered() -> None:
    """A tag with two letters exchanged is mended, and nothing else."""
    refusal = explained(LINE.replace("PERF", "PREF")).rejects[0]
    nearest = refusal.nearest

    assert nearest is not None
    assert (nearest.text, nearest.how) == (LINE, "repaired")


def test_the_source_that_came_furthest_is_first() -> None:
    """A torn block of owping is owping's, though other sources were asked; JSON with a fault is perfsonar's."""
    block = (GRAMMARS / "owping" / "rejects.torn.txt").read_bytes()

    assert explained(block).rejects[0].source == "owping"
    assert explained(b'{"id": NaN}').rejects[0].reject.reason == "json"


def test_an_ignored_line_is_told_why() -> None:
    """Another tag, and a line that is nothing like ours, though sources without a gate would refuse them."""
    other_tag = explained(SHORT.replace("PERF", "INFO"))
    shell = explained("+ qsub -q debug submitRotJob.sh")

    assert (other_tag.outcome, shell.outcome) == ("ignored", "ignored")
    assert {shape: why for source, shape, why in other_tag.ignored if source == "als_perf"}["tag:INFO"].count("`INFO`")
    assert any("`PERF`" in why for source, _, why in shell.ignored if source == "als_perf")
    assert explained("").ignored[0][1] == "blank"


def test_a_terminal_without_words_is_told_by_an_example(sources: dict[str, Source], schema: Schema) -> None:
    """A grammar need not describe its terminals: the samples do."""
    bare = {"owping": _without_words(sources["owping"])}
    explainer = Explainer(Intake("t", "t", "als", ("owping",)), bare, schema)
    text = (GRAMMARS / "owping" / "samples.nothing-sent.txt").read_bytes().replace(b"0 sent", b"no sent")
    refusal = explainer.explain(Message(text, RECEIVED_MS, backfill=True)).rejects[0]

    assert ("SENT", "sent, e.g. `100`") in refusal.expected


def _without_words(source: Source) -> Source:
    return Source(**{**{name: getattr(source, name) for name in source.__slots__}, "describe": {}})


def test_every_flag_has_a_meaning() -> None:
    """Those that the core can raise, as its text says, and those that sources declare."""
    core = "\n".join(path.read_text() for path in Path(GRAMMARS.parent, "ingest", "core").rglob("*.py"))
    raised = set(re.findall(r'flags(?:\.append\(|\[-1\] = )"([a-z_]+)"', core))
    raised |= set(re.findall(r'flags\.append\("[a-z_]+" if \w+(?: < 0)? else "([a-z_]+)"', core))
    declared = {flag.name for source in SOURCES.values() for flag in source.flags}

    assert len(raised) > 15
    assert raised | declared <= SCHEMA.flags.keys()


@settings(max_examples=examples(150), deadline=None)
@given(st.data())
def test_explaining_never_raises(data: st.DataObject) -> None:
    """Whatever the bytes: random ones, and samples with a piece cut out, doubled or overwritten."""
    name = data.draw(st.sampled_from(sorted(SOURCES)))
    explanation = explained(data.draw(mutated(SOURCES[name])))

    assert explanation.outcome in {"document", "reject", "ignored"}
    assert explanation.documents or explanation.rejects or explanation.ignored


def mutated(source: Source) -> st.SearchStrategy[bytes]:
    """Random bytes, and the source's samples and rejects, damaged."""
    texts = [path.read_bytes() for path in sample_files(source.folder)]
    lines = [frame.data[:20_000] for text in texts for frame in frames(text, source.framing) if frame.data]
    piece = st.one_of(st.binary(max_size=6), st.sampled_from([b"null", b"{", b"[]", b"1e999", b"-", b"\xff", b"\x00"]))

    def damage(line: bytes, edits: list[tuple[float, float, bytes]]) -> bytes:
        for start, size, put in edits:
            at = int(start * len(line))
            line = line[:at] + put + line[at + int(size * size * (len(line) - at)) :]
        return line

    edits = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), piece), max_size=3)
    return st.one_of(st.binary(max_size=300), st.builds(damage, st.sampled_from(lines), edits))


def test_the_grammar_reader_tells_where_it_stopped() -> None:
    """Of a refused text the pieces before the fault."""
    reader = SOURCES["als_perf"].reader
    assert isinstance(reader, GrammarReader)

    assert [piece.terminal for piece in reader.tokens(TORN)][-1] == "TAG_COLON"
    assert reader.tokens("") == ()


@pytest.mark.parametrize("end", [60, len(LINE) - 3])
def test_a_part_that_is_refused_is_pointed_at_in_its_message(end: int) -> None:
    """Of glued lines the column counts in all of them, though the reject keeps the bytes of its own line alone."""
    alone, behind = explained(LINE[:end], "als_perf"), explained(LINE + LINE[:end], "als_perf")
    (refusal,), (of_whole,) = alone.rejects, behind.rejects

    assert refusal.at is not None
    assert of_whole.at == len(LINE) + refusal.at
    assert of_whole.reject.column == len(LINE) + (refusal.reject.column or 0)


def test_elements_of_an_array_are_told_one_by_one() -> None:
    """Documents of the good ones; the bad one is pointed at where it stands."""
    run = '{"id":"%s","test":{"type":"rtt"},"schedule":{"start":"2026-03-04T11:20:05Z"}}'
    ids = [f"{n}b7c6f0e-7c1d-4f0a-9c57-3f2b6a1d9e52" for n in range(2)]
    text = f'[{run % ids[0]},\n {{"weather":1}},\n{run % ids[1]}]'

    explanation = explained(text, "perfsonar")

    assert [document.document.id for document in explanation.documents] == ids
    assert [(refusal.reject.reason, refusal.reject.line) for refusal in explanation.rejects] == [("shape", 2)]


OLD_PREFIX = "<13>Feb  5 21:39:40 node-17 perf[42]: "
NEW_PREFIX = '<13>1 2016-02-06T05:39:40Z node-17 perf 42 - [x a="é"] \ufeff'


@pytest.mark.parametrize("prefix", [OLD_PREFIX, NEW_PREFIX])
def test_tokens_behind_a_syslog_prefix_lie_where_they_are_written(
    schema: Schema, sources: dict[str, Source], prefix: str
) -> None:
    """The text is the line as written, prefix included; each token is at its place in it; the host is the prefix's."""
    intake = Intake("explain", "t", "als", ("als_perf",), prefix="syslog")
    message = Message((prefix + LINE).encode(), RECEIVED_MS, backfill=True)
    explanation = Explainer(intake, sources, schema).explain(message)
    (explained,) = explanation.documents

    assert explanation.text == prefix + LINE
    assert explanation.tokens
    assert all(explanation.text[token.start : token.end] == token.text for token in explanation.tokens)
    assert [field.value for field in explained.fields if field.field == "host.name"] == ["node-17"]


@pytest.mark.parametrize("prefix", [OLD_PREFIX, NEW_PREFIX])
def test_a_reject_behind_a_syslog_prefix_points_into_the_line_as_written(
    schema: Schema, sources: dict[str, Source], prefix: str
) -> None:
    """Column, caret and the nearest form."""
    intake = Intake("explain", "t", "als", ("als_perf",), prefix="syslog")
    text = prefix + LINE.replace(" PERF", "PREF")
    (rejection,) = Explainer(intake, sources, schema).explain(Message(text.encode(), RECEIVED_MS)).rejects

    assert rejection.reject.column == text.index("PREF") + 1
    assert rejection.at == text.index("PREF")
    assert rejection.nearest is not None
    assert rejection.nearest.text.startswith(prefix)


@pytest.mark.parametrize(
    ("data", "reason", "prefix"), [(LINE.encode(), "prefix", "syslog"), (LINE.encode("utf-16-le"), "encoding", "none")]
)
def test_what_no_source_may_read_is_explained_once(
    schema: Schema, sources: dict[str, Source], data: bytes, reason: str, prefix: str
) -> None:
    """However many sources there are."""
    intake = Intake("explain", "t", "als", tuple(sources), prefix=prefix)
    explanation = Explainer(intake, sources, schema).explain(Message(data, RECEIVED_MS))

    assert [rejection.reject.reason for rejection in explanation.rejects] == [reason]
    assert explanation.rejects[0].at == 0


def test_utf16_is_explained_as_its_text(schema: Schema, sources: dict[str, Source]) -> None:
    """By its byte order mark."""
    intake = Intake("explain", "t", "als", ("als_perf",))
    message = Message(b"\xff\xfe" + LINE.encode("utf-16-le"), RECEIVED_MS)

    assert Explainer(intake, sources, schema).explain(message).text == LINE
