"""Every expression that the core applies to messages takes steps in proportion to the text, as it is used."""

import ast
import importlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.core.network.test_network_sources import REPEATED
from tests.core.sources.test_grammar_terminals import FILLERS
from tests.support.regex_steps import match_steps, search_steps
from tests.support.work import assert_linear

CORE = Path(__file__).parents[3] / "ingest" / "core"
PACKAGES = ("sources", "network", "decode", "records")
SEARCHES = {"search", "sub", "subn", "split", "findall", "finditer"}
CHARACTERS = 200
TEXTS = sorted(
    {*FILLERS, *(piece.decode() for piece in REPEATED), "\x1b[", '{"', "'a ", "0-", "deadbeef-", "a.sh:", "é:"}
)
# Asked only of what a terminal of the grammar matched, and there one match begins where another ends.
OF_MATCHED_TEXT = {"ingest.core.network.owping._PERCENTILE"}


def expressions() -> Iterator[tuple[str, re.Pattern[str], bool]]:
    """Name and expression of each module, and whether it is searched for or stands at a known place."""
    for path in sorted(path for package in PACKAGES for path in (CORE / package).glob("*.py")):
        name = ".".join(path.relative_to(CORE.parents[1]).with_suffix("").parts)
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
        used = {(ast.unparse(call.value), call.attr) for call in calls}
        for constant, value in vars(importlib.import_module(name)).items():
            if isinstance(value, re.Pattern) and f"{name}.{constant}" not in OF_MATCHED_TEXT:
                yield f"{name}.{constant}", of_text(value), any((constant, method) in used for method in SEARCHES)


def of_text(pattern: re.Pattern[str] | re.Pattern[bytes]) -> re.Pattern[str]:
    """The same expression for text; the bytes of a message are counted as ASCII characters."""
    if isinstance(pattern.pattern, str):
        return re.compile(pattern.pattern, pattern.flags)
    return re.compile(pattern.pattern.decode("latin-1"), pattern.flags | re.ASCII)


EXPRESSIONS = {name: (pattern, is_searched) for name, pattern, is_searched in expressions()}


def steps(pattern: re.Pattern[str], is_searched: bool, piece: str, end: str, count: int) -> int:
    """The steps on a piece so many times, and what ends it."""
    return (search_steps if is_searched else match_steps)(pattern, piece * count + end)


@pytest.mark.long
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_is_linear(name: str) -> None:
    """On what repeats, ended or not."""
    pattern, is_searched = EXPRESSIONS[name]
    for piece in TEXTS:
        for end in ("", "\0"):
            assert_linear(partial(steps, pattern, is_searched, piece, end), CHARACTERS // len(piece))


def test_both_kinds_are_seen() -> None:
    """Those that are searched for, and those that stand at a known place."""
    assert EXPRESSIONS["ingest.core.records.reject_shape._QUOTED"][1]
    assert not EXPRESSIONS["ingest.core.decode.pieces._CLOSE"][1]
