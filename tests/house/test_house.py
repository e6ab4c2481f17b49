"""The rules of the house that no linter knows: sizes, docstrings, empty hubs, forbidden words."""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterable
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
    entries = {
        path.name for path in ROOT.iterdir() if not path.name.startswith(".") and not path.name.endswith(".egg-info")
    }

    assert entries - {"dist", "build", "made", "perflog.toml"} == TOP_LEVEL


def test_run_time_dependencies_are_those_that_were_agreed() -> None:
    """A new dependency is a decision, not an accident."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[<>=]", line)[0] for line in project["dependencies"]}

    assert names == {"click", "elasticsearch", "kafka-python", "lark", "orjson", "requests", "rich"}


PACKAGES = sorted({path.parent for path in MODULES})
MAX_MODULES, MAX_DOCSTRING_LINES = 14, 12
FREE = {"conftest.py"}


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_has_few_modules_and_names_each(folder: Path) -> None:
    """The docstring of `__init__` is the map: no module without its place in it."""
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "__main__", "telemetry"}
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    words = set(re.findall(r"[a-z0-9_]+", docstring))

    assert len(modules) <= MAX_MODULES
    assert len(docstring.splitlines()) <= MAX_DOCSTRING_LINES
    assert (modules | packages) - words == set()


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_test_file_names_what_it_tests(path: Path) -> None:
    """`tests/X/test_y.py` begins with a module or package of `ingest/X`; whole systems, faults and the house apart."""
    folder = path.relative_to(ROOT / "tests").parent
    if folder.parts[0] in {"system", "faults", "house"}:
        return
    package = ROOT / "ingest" / folder
    names = (
        {module.stem.rstrip("_") for module in package.glob("*.py")}
        | {subpackage.name for subpackage in package.glob("*/")}
        | {folder.name}
    )
    subject = path.stem.removeprefix("test_")

    assert any(subject == name or subject.startswith(f"{name}_") for name in names)


def test_helpers_stand_apart_from_tests() -> None:
    """In tests/support; the faults have some of their own."""
    helpers = [path for path in (ROOT / "tests").rglob("*.py") if not path.name.startswith("test_")]
    strays = [path for path in helpers if path.name not in FREE and path.parent.name not in {"support", "faults"}]

    assert strays == []


# Words of the glossary's left column that no name of a module, class or function uses any more.
DENIED = frozenset(
    {
        "house",
        "door",
        "floor",
        "leaf",
        "hand",
        "hands",
        "hold",
        "crew",
        "clerk",
        "scribe",
        "books",
        "patience",
        "owing",
        "swapping",
        "swapper",
        "cell",
        "paid",
        "pay",
        "refusals",
        "stretch",
        "seat",
        "weather",
        "outfit",
        "gathering",
        "judging",
        "superseding",
        "formers",
        "former",
        "edition",
        "marking",
        "flow",
        "quick",
        "ways",
        "feeds",
        "tolerant",
        "grown",
        "hear",
        "say",
        "suspects",
        "placing",
        "knowledge",
        "beside",
        "overruling",
    }
)


# Ordinary English in a sentence, a metaphor only as a name.
ORDINARY = frozenset(
    {"beside", "say", "hold", "hand", "hands", "hear", "pay", "flow", "floor", "leaf", "ways", "swapping"}
)
# A cell of a table, a leaf of a tree, the floor of a delay.
TERMS = frozenset({"cell", "leaf", "floor"})
# A participle or pronoun for a thing: the reader does not learn what it is.
PRONOUNS = frozenset({"found", "told", "each", "there", "some", "heard", "news", "gathered", "standing"})


def denied_names(text: str) -> list[str]:
    """The names of a module's text that are metaphors, or pronouns for a thing."""
    denied = []
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = [node.name]
        elif isinstance(node, ast.arg):
            names = [node.arg]
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names = [node.id if isinstance(node, ast.Name) else node.attr]
        terms = set() if isinstance(node, ast.ClassDef | ast.FunctionDef) else TERMS
        for name in names:
            words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)}
            denied += [name] if words & DENIED - terms or name.strip("_") in PRONOUNS else []
    return denied


def denied_prose(text: str) -> list[str]:
    """The metaphors in a module's docstrings and comments."""
    tree = ast.parse(text)
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    prose = [ast.get_docstring(node) or "" for node in nodes]
    prose += [token.string for token in tokens if token.type == tokenize.COMMENT]
    return [word for part in prose for word in re.findall(r"[a-z]+", part.lower()) if word in DENIED - ORDINARY]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_and_prose_are_the_words_of_the_field(path: Path) -> None:
    """None of the metaphors that a reader from outside would have to learn; every variable names the thing itself."""
    text = path.read_text()

    assert set(re.findall(r"[a-z]+", path.stem)) & DENIED == set()
    assert denied_names(text) == []
    assert denied_prose(text) == []


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_variables_of_tests_name_the_thing(path: Path) -> None:
    """As those of the package do."""
    assert [name for name in denied_names(path.read_text()) if name.strip("_") in PRONOUNS] == []


def test_what_is_denied_is_noticed() -> None:
    """In each place that holds a name or a sentence; a public name is made of words that stay."""
    text = """class Crew:
    "The clerk."
    def hold(self, told):
        found = self.quick = 1  # owing
        keep_alive = found"""

    assert denied_names(text) == ["Crew", "hold", "told", "found", "quick"]
    assert denied_prose(text) == ["clerk", "owing"]


# Called by click and kafka-python.
CALLED_BY_LIBRARIES = {"format_commands", "get_command", "list_commands", "on_partitions_assigned"}


def unused_names(texts: Iterable[str]) -> set[str]:
    """The public functions, classes and methods that none of these modules uses; a decorated one is registered."""
    defined, used = set(), set()
    for tree in map(ast.parse, texts):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                defined |= {node.name} if isinstance(node, ast.ClassDef) or not node.decorator_list else set()
            elif isinstance(node, ast.Name):
                used.add(node.id)
            elif isinstance(node, ast.Attribute):
                used.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                used.add(node.value)
    return defined - used


def test_nothing_stands_in_the_package_for_tests_only() -> None:
    """What only tests use stands in tests/support."""
    assert unused_names(["def read(): ...", "class Used: ...\ndef spare(self): Used()", "x.read"]) == {"spare"}

    assert unused_names(path.read_text() for path in MODULES) == CALLED_BY_LIBRARIES


def test_no_class_name_stands_twice() -> None:
    """One word, one meaning: a reader who looks a name up finds one thing."""
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))

    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


NAMERS = {"core/ids.py", "core/fields.py"}
KINDS = tuple(tomllib.loads((ROOT / "grammars" / "fields.toml").read_text())["kind"])
INDEX_NAME = re.compile(rf"perf-(?:$|[*(\[]|(?:{'|'.join(KINDS)})\b)")
TAKING_APART = {"split", "rsplit", "partition", "rpartition", "startswith", "endswith", "removeprefix"}


def docstrings(tree: ast.AST) -> set[ast.AST]:
    """What is said for people: help texts may name an index."""
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef)
    return {n.body[0].value for n in ast.walk(tree) if isinstance(n, nodes) and ast.get_docstring(n)}  # type: ignore[attr-defined]


def naming(tree: ast.AST) -> list[str]:
    """The parts of a module that make an index name, or take one apart."""
    prose = docstrings(tree)
    parts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and node not in prose:
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            parts += [text] if INDEX_NAME.search(text) and not text.endswith("/perf-") else []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TAKING_APART:
            subject = ast.unparse(node.func.value)
            parts += [ast.unparse(node)] if re.search(r"(?i)(?:^|[._])index(?:_name)?$", subject) else []
        if isinstance(node, ast.ImportFrom) and "index_name" in {alias.name for alias in node.names}:
            parts.append(ast.unparse(node))
    return parts


def test_one_place_makes_and_reads_index_names() -> None:
    """`Schema.index`, `index_pattern` and `parse_index`: a period that is written elsewhere is not found, silently."""
    assert set(naming(ast.parse(MADE_BY_HAND))) == {
        "from ingest.core.ids import index_name",
        "perf-",
        "old.index.split('-')",
        "perf-runs-*",
    }
    users = [path for path in MODULES if path.relative_to(ROOT / "ingest").as_posix() not in NAMERS]

    assert {path.name: parts for path in users if (parts := naming(ast.parse(path.read_text())))} == {}


MADE_BY_HAND = """
from ingest.core.ids import index_name
def pattern(kind, old):
    'Not `perf-runs-*`.'
    return f"perf-{kind}", old.index.split("-")[2], "perf-runs-*", "/logs/perf-"
"""


COMMAND_LINE = sorted((ROOT / "ingest" / "cli").rglob("*.py"))
CLICK_TO_DATACLASS = {
    ROOT / "ingest" / "cli" / "options.py": ["**values"],  # `with_options`, the one seam
    ROOT / "ingest" / "cli" / "console.py": ["options: ConsoleOptions | None", "**how", "**how"],  # those of rich
}


def untyped_options(text: str) -> list[str]:
    """Where a command takes whatever click passes, or finds an option by its name in a mapping."""
    places: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            kinds = [ast.unparse(a.annotation) for a in every if a.arg == "options" and a.annotation]
            places += [f"options: {kind}" for kind in kinds if not re.fullmatch(r"\w+Options", kind)]
            places += [f"**{node.args.kwarg.arg}"] if node.args.kwarg else []
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            name, key = node.value.id, node.slice
            if name in {"options", "chosen"} and isinstance(key, ast.Constant) and isinstance(key.value, str):
                places.append(ast.unparse(node))
    return places


@pytest.mark.parametrize("path", COMMAND_LINE, ids=lambda path: str(path.relative_to(ROOT)))
def test_options_are_typed(path: Path) -> None:
    """A command's options are its parameters or fields of a dataclass, so that mypy reads what users give."""
    assert untyped_options(path.read_text()) == CLICK_TO_DATACLASS.get(path, [])


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("def command(path, **options: Any): ...", ["**options"]),
        ("def command(path, **who: str | None): ...", ["**who"]),
        ("def query(options: dict[str, Any]): ...", ["options: dict[str, Any]"]),
        ("query(options['since'])", ["options['since']"]),
        ("query(chosen['since'])", ["chosen['since']"]),
        ("def query(options: RunsOptions): return options.since", []),
    ],
)
def test_untyped_options_are_noticed(text: str, places: list[str]) -> None:
    """In each of the forms that they had."""
    assert untyped_options(text) == places
