"""What Lark says of a refused text costs what stands around the fault, and is what it says of the whole text."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.core.fields import load_schema
from ingest.core.model import ParsedMessage
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.loader import load_sources
from ingest.core.sources.readers import Mismatch, canonical
from ingest.core.sources.regular import FIRST_MATCHES, MATCHES_AT_ONCE
from tests.core.conftest import GRAMMARS
from tests.core.network.test_network_sources import messages
from tests.support.amount import examples
from tests.support.regex_steps import match_steps
from tests.support.work import assert_linear

SOURCES = load_sources(GRAMMARS, load_schema(GRAMMARS / "fields.toml"))
READERS = {name: source.reader for name, source in SOURCES.items() if isinstance(source.reader, GrammarReader)}
SAMPLES = {
    name: [text for raw in messages(SOURCES[name]) if reader.takes(text := canonical(raw).decode())]
    for name, reader in READERS.items()
}
REPEATING = [name for name, reader in READERS.items() if reader.compiled and reader.compiled.step]
LETTERS = ["", "\x00", '"', "=", ":", " ", "  ", "\n", "x", "9", ",", "-", "--- ", '="', "=\x00", "\\", "\t"]
FUZZ = settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def parts(name: str, text: str) -> tuple[str, list[str], str]:
    """A sample: what stands before its items, its items, what stands behind them."""
    compiled = READERS[name].compiled
    assert compiled
    assert compiled.step
    match = compiled.line.fullmatch(text)
    assert match, (name, text)
    at, end = match.span(compiled.items)
    items: list[str] = []
    position = at
    while position < end:
        item = compiled.step.match(text, position, end)
        assert item
        items.append(item[0])
        position = item.end()
    return text[: max(at, 0)], items, text[end:] if end >= 0 else ""


def long_text(name: str, count: int) -> str:
    """A sample, its first item so many times, as the grammar takes it."""
    head, items, _ = next(split_text for text in SAMPLES[name] if (split_text := parts(name, text))[1])
    between = {"owping": "\n\n", "owping_machine": "\n\n", "netlogger": " "}.get(name, "")
    return head + between.join([items[0].rstrip()] * count)


def without_seen(parsed: ParsedMessage | Mismatch) -> ParsedMessage | Mismatch:
    """What the reader says, without what was read before."""
    return replace(parsed, seen=()) if isinstance(parsed, Mismatch) else parsed


def agree(name: str, text: str) -> None:
    """The short explanation is the long one."""
    reader = READERS[name]
    raw = text.encode("utf-8", "surrogatepass")
    assert without_seen(reader.explained(text, raw)) == without_seen(reader.read_slowly(text, raw))


@pytest.mark.parametrize("name", REPEATING)
@given(data=st.data())
@FUZZ
def test_a_long_text_is_explained_as_if_all_of_it_were_read(name: str, data: st.DataObject) -> None:
    """Turns of all samples in any order, many of them; cut, or spoilt at one or two places."""
    head, _, tail = parts(name, data.draw(st.sampled_from(SAMPLES[name])))
    item_shapes = sorted({item for text in SAMPLES[name] for item in parts(name, text)[1]})
    shapes = data.draw(st.lists(st.sampled_from(item_shapes), min_size=1, max_size=6))
    text = head + "".join(shapes * data.draw(st.integers(1, 60 // len(shapes)))) + tail
    for _ in range(data.draw(st.integers(1, 2))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.sampled_from([0, 1, 1, 2, len(text)]))
        text = text[:at] + data.draw(st.sampled_from(LETTERS)) + text[at + gone :]
    agree(name, text)


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@FUZZ
def test_a_damaged_sample_is_explained_as_if_all_of_it_were_read(name: str, data: st.DataObject) -> None:
    """Of every grammar, with and without a repeated part."""
    text = data.draw(st.sampled_from(SAMPLES[name]))
    at = data.draw(st.integers(0, len(text)))
    gone = data.draw(st.sampled_from([0, 1, 2, 9, len(text)]))
    agree(name, text[:at] + data.draw(st.sampled_from(LETTERS)) + text[at + gone :])


@pytest.mark.parametrize("name", REPEATING)
@pytest.mark.parametrize("fault", ["\x00", "=\x00", " \x00 ", "\n\x00"])
def test_a_refusal_reads_no_more_tokens_of_a_longer_text(name: str, fault: str) -> None:
    """Ten times the items, as many tokens: those around the fault."""
    counts = []
    for items in (FIRST_MATCHES + MATCHES_AT_ONCE * 10, FIRST_MATCHES + MATCHES_AT_ONCE * 100):
        outcomes = READERS[name].read((long_text(name, items) + fault).encode())
        assert isinstance(outcomes, Mismatch)
        counts.append(len(outcomes.seen))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("name", REPEATING)
def test_an_expression_reads_no_turn_in_two_ways(name: str) -> None:
    """A refused text of n items takes steps in proportion to n, not to 2^n."""
    compiled = READERS[name].compiled
    assert compiled

    assert_linear(lambda items: match_steps(compiled.line, long_text(name, items) + "\n\x00"), 6)


@pytest.mark.parametrize("name", READERS)
def test_a_token_is_located_where_lark_reads_it(name: str) -> None:
    """Every terminal of the samples' first messages, by its text."""
    reader = READERS[name]
    for text in SAMPLES[name][:5]:
        for piece in reader.tokens(text):
            at = reader._located(text, piece.terminal, piece.text)
            assert at is not None
            line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
            assert reader.locate(text.encode(), piece.terminal, piece.text) == (line, column)
