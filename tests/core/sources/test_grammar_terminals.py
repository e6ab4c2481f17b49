"""Every terminal of every shipped grammar takes time in proportion to the text, whatever the text."""

import re
from functools import partial

import pytest

from ingest.core.fields import load_schema
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.loader import load_sources
from tests.core.conftest import GRAMMARS
from tests.support.cpu_time import within

SOURCES = load_sources(GRAMMARS, load_schema(GRAMMARS / "fields.toml"))
TERMINALS = [
    (source.name, name, pattern)
    for source in SOURCES.values()
    if isinstance(source.reader, GrammarReader)
    for name, pattern in source.reader.terminals.items()
]
FILLERS = [*'aA0 .:-=/"\\,[(_%\t\n', "a ", " a", "0:", "0.", '\\"', "a.", "a\t ", "ab-", "é"]
KIB, MIB = 1024, 1024 * 1024


def matched(pattern: re.Pattern[str], text: str) -> None:
    """From the beginning, and in full, which has to look for every other way."""
    pattern.match(text)
    pattern.fullmatch(text)


@pytest.mark.long
@pytest.mark.parametrize(("source", "name", "pattern"), TERMINALS, ids=[f"{s}.{n}" for s, n, _ in TERMINALS])
def test_a_terminal_is_linear(source: str, name: str, pattern: str) -> None:
    """1 KiB, 32 KiB and 1 MiB of what it likes, ended by what it refuses: a quadratic one would take minutes."""
    compiled = re.compile(pattern)
    for filler in FILLERS:
        for size, limit_s in ((KIB, 0.02), (32 * KIB, 0.1), (MIB, 1.0)):
            text = (filler * size)[:size] + "\x00"

            assert within(limit_s, partial(matched, compiled, text)), (source, name, filler, size)
