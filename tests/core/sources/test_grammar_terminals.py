"""Every terminal and every expression of every shipped grammar takes work in proportion to the text, whatever the text.

The work is the steps of `tests.support.regex_steps`: a count, the same on each machine.
"""

import re
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.core.fields import load_schema
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.loader import load_sources
from ingest.core.sources.readers import canonical
from tests.core.conftest import GRAMMARS
from tests.core.network.test_network_sources import messages
from tests.support.amount import examples
from tests.support.regex_steps import TooManySteps, match_steps, search_steps
from tests.support.work import assert_linear

SOURCES = load_sources(GRAMMARS, load_schema(GRAMMARS / "fields.toml"))
READERS = {source.name: source.reader for source in SOURCES.values() if isinstance(source.reader, GrammarReader)}
EXPRESSIONS = {
    f"{source}.{name}": re.compile(pattern)
    for source, reader in READERS.items()
    for name, pattern in reader.terminals.items()
} | {
    f"{source} {name}": pattern
    for source, reader in READERS.items()
    for name in ("line", "step", "reach", "first", "many")
    if (pattern := getattr(reader.compiled, name, None))
}
FILLERS = [*'aA0 .:-=/"\\,[(_%\t\n', "a ", " a", "0:", "0.", '\\"', "a.", "a\t ", "ab-", "é"]
CHARACTERS = 512
SMALL, ALLOWED_STEPS, COMPARED_STEPS = 16, 1_000, 50_000
MOST_LINES = 30


def steps(pattern: re.Pattern[str], filler: str, count: int) -> int:
    """The steps on a filler so many times and a character that nothing takes."""
    return match_steps(pattern, filler * count + "\0")


@pytest.mark.long
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_is_linear(name: str) -> None:
    """On what it likes, ended by what it refuses, accepted or not."""
    for filler in FILLERS:
        assert_linear(partial(steps, EXPRESSIONS[name], filler), CHARACTERS // len(filler))


@pytest.mark.parametrize(("pattern", "filler"), [("a*a*b", "a"), ("a*a*a*b", "a"), ("x*?x*?=", "x")])
def test_an_expression_that_is_not_linear_fails(pattern: str, filler: str) -> None:
    """Quadratic, cubic, of lazy loops."""
    with pytest.raises(AssertionError, match=r"steps (at|on)"):
        assert_linear(partial(steps, re.compile(pattern), filler), SMALL)


def test_a_search_that_is_not_linear_fails() -> None:
    """Each beginning of the blanks is tried."""
    with pytest.raises(AssertionError, match="steps at"):
        assert_linear(lambda size: search_steps(re.compile(r"\s+$"), " " * size + "x"), SMALL)


def test_an_expression_with_two_ways_ends_at_the_limit() -> None:
    """Of 2^n ways an atomic group takes one."""
    with pytest.raises(TooManySteps):
        match_steps(re.compile("(?:a|aa)+b"), "a" * SMALL * 4, ALLOWED_STEPS)

    assert match_steps(re.compile("(?>(?:a|aa)+)b"), "a" * SMALL * 4) < ALLOWED_STEPS


@pytest.mark.parametrize("source", READERS)
@settings(max_examples=examples(200))
@given(data=st.data())
def test_steps_are_counted_of_the_match_that_re_makes(source: str, data: st.DataObject) -> None:
    """The counter and `re` match the same characters of samples, whole, cut and spoilt: `match_steps` compares them."""
    text = canonical(data.draw(st.sampled_from(messages(SOURCES[source])))).decode("utf-8", "replace")[:2000]
    at = data.draw(st.integers(0, len(text)))
    spoilt = text[:at] + data.draw(st.sampled_from(["", "\0", " ", ":", "9", "x", '"'])) + text[at + 1 :]
    start = data.draw(st.integers(0, min(at, len(spoilt))))
    name = data.draw(st.sampled_from([name for name in EXPRESSIONS if name.startswith((f"{source}.", f"{source} "))]))

    for part in (spoilt, spoilt[start : start + 200]):
        assert match_steps(EXPRESSIONS[name], part, COMPARED_STEPS) > 0


@pytest.mark.parametrize("source", READERS)
def test_an_expression_has_one_way_to_match_a_line_behind_another(source: str) -> None:
    """A line of letters, then one of a sample: `fullmatch`, which tries every way, needs few steps too."""
    texts = (canonical(message).decode("utf-8", "replace") for message in messages(SOURCES[source]))
    sample_lines = list(dict.fromkeys(line for text in texts for line in text.split("\n")))[:MOST_LINES]
    for name in (name for name in EXPRESSIONS if name.startswith((f"{source}.", f"{source} "))):
        for line in sample_lines:
            assert match_steps(EXPRESSIONS[name], f"{'a' * SMALL}\n{line}\0", COMPARED_STEPS) > 0
