"""The two suites: `tests/run --system` finds what it plays by marks, and CI keeps a small twin of it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "tests").rglob("test_*.py"))
MARK = "pytest.mark.system"
# Files that only --system plays, and where CI plays the same with what they need recorded.
TWINS = {"tests/system/test_rsyslog.py": "tests/core/sources/wrapping/test_wrappers.py"}


def names(path: Path) -> tuple[list[str], list[str]]:
    """The tests of a file that CI plays, and those that only --system plays, be it with some parameters."""
    played, skipped = [], []
    tree = ast.parse(path.read_text())
    whole = any(ast.unparse(node).startswith("pytestmark") and MARK in ast.unparse(node) for node in tree.body)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = [ast.unparse(one) for one in node.decorator_list]
            if whole or any(MARK in mark for mark in marks):
                skipped.append(node.name)
            if not whole and MARK not in marks:
                played.append(node.name)
    return played, skipped


@pytest.mark.parametrize(
    "path", [path for path in FILES if names(path)[1]], ids=lambda path: str(path.relative_to(ROOT))
)
def test_what_only_the_system_suite_plays_has_a_twin(path: Path) -> None:
    """In the same file, or in the file that is listed."""
    twin = TWINS.get(str(path.relative_to(ROOT)))

    assert names(ROOT / twin if twin else path)[0]


def test_listed_twins_are_needed() -> None:
    """None of a file that CI plays, too."""
    assert [file for file in TWINS if names(ROOT / file)[0]] == []
