"""The rules of the house that no linter knows: sizes, docstrings, empty hubs, forbidden words."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "ingest").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 40
TOP_LEVEL = {"pyproject.toml", "README.md", "LICENSE", "ingest", "grammars", "dashboards", "deploy", "tests"}


def code_lines(text: str) -> set[int]:
    """Numbers of the lines that hold code: no blanks, comments or docstrings."""
    docs: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            docs |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = enumerate(text.splitlines(), 1)
    return {n for n, line in lines if line.strip() and not line.strip().startswith("#") and n not in docs}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_fits_in_the_head(path: Path) -> None:
    """It says what it is for, is short, and so are its functions."""
    text = path.read_text()
    lines = code_lines(text)

    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert len(lines) <= MAX_MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            inside = lines & set(range(node.lineno, (node.end_lineno or 0) + 1))
            assert len(inside) <= MAX_FUNCTION_LINES, node.name


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.name == "__init__.py"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_a_package_is_no_hub(path: Path) -> None:
    """An `__init__` holds a docstring and nothing else: rings come from hubs."""
    body = ast.parse(path.read_text()).body

    assert len(body) == 1


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_says_what_it_shows(path: Path) -> None:
    """A docstring states the behaviour."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), node.name


def test_the_core_has_no_doubles() -> None:
    """What the core does is shown on real input: no mock, no patch."""
    for path in (ROOT / "tests" / "core").rglob("*.py"):
        assert not re.search(r"\bmock\b|monkeypatch|\bpatch\(", path.read_text()), path.name


def test_process_zones_are_never_asked() -> None:
    """`strptime` reads zones by the process's own, `localtime` and naive `now` likewise."""
    for path in MODULES:
        names = {n.attr for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Attribute)}
        assert not names & {"strptime", "localtime", "mktime", "utcnow"}, path


def test_the_top_level_is_the_map() -> None:
    """What stands at the top is what README's map names, hidden files apart."""
    found = {
        path.name for path in ROOT.iterdir() if not path.name.startswith(".") and not path.name.endswith(".egg-info")
    }

    assert found - {"dist", "build"} == TOP_LEVEL


def test_run_time_dependencies_are_those_that_were_agreed() -> None:
    """A new dependency is a decision, not an accident."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[<>=]", line)[0] for line in project["dependencies"]}

    assert names == {"click", "elasticsearch", "kafka-python", "lark", "orjson", "requests", "rich"}
