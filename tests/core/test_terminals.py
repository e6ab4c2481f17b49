"""Every terminal of every shipped grammar takes time in proportion to the text, whatever the text."""

import re
import time

import pytest

from ingest.core.fields import load_schema
from ingest.core.parse import GrammarReader
from ingest.core.sources import load_sources
from tests.core.conftest import GRAMMARS

SOURCES = load_sources(GRAMMARS, load_schema(GRAMMARS / "fields.toml"))
TERMINALS = [
    (source.name, name, pattern)
    for source in SOURCES.values()
    if isinstance(source.reader, GrammarReader)
    for name, pattern in source.reader.terminals.items()
]
FILLERS = [*'aA0 .:-=/"\\,[(_%\t\n', "a ", " a", "0:", "0.", '\\"', "a.", "a\t ", "ab-", "é"]
MIB = 1024 * 1024
SOON_S = 0.1  # what takes no longer for a mebibyte is no matter, however the short text was timed


def took_s(pattern: re.Pattern[str], text: str) -> float:
    """Seconds of this thread for a match and for a full match, which has to look for every other way; the best of 2."""
    took = []
    for _ in range(2):
        start = time.thread_time()
        pattern.match(text)
        pattern.fullmatch(text)
        took.append(time.thread_time() - start)
    return min(took)


@pytest.mark.long
@pytest.mark.parametrize(("source", "name", "pattern"), TERMINALS, ids=[f"{s}.{n}" for s, n, _ in TERMINALS])
def test_a_terminal_is_linear(source: str, name: str, pattern: str) -> None:
    """32 times what it likes, ended by what it refuses, takes no 150 times as long; a quadratic one takes 1,000."""
    compiled = re.compile(pattern)
    for filler in FILLERS:
        short_s, long_s = (took_s(compiled, (filler * size)[:size] + "\x00") for size in (MIB // 32, MIB))

        assert long_s < max(SOON_S, 150 * short_s), (source, name, filler, short_s, long_s)
