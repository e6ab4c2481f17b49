"""Every command line of every page is right: run where it needs no servers, else parsed; its output is compared."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingest.cli.main import cli
from tests.house.test_house import ROOT
from tests.house.test_readme import PAGES
from tests.support.page_calls import SERVER_COMMANDS, Expected, fault_of, output_fault
from tests.support.page_commands import CommandLine, command_lines

SAMPLE_LINE = (ROOT / "grammars" / "als_perf" / "samples.log").read_text().splitlines()[0]
# A line that is read, one that breaks off, one of another program: what a log of one's own holds.
OWN_LINES = f"{SAMPLE_LINE}\n{SAMPLE_LINE[: SAMPLE_LINE.index('PERF') + 2]}\n+ qsub submitJob.sh\n"
WRONG_LINE = "'Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32:1084664-62990:PREF:SUBMIT_NORM'"
EXPECTED = Expected(
    placeholders={"N": "4", "NAME": "my_source", "OUT": "made"},
    exit_codes={
        "perflog lint grammars/als_perf/samples.log": 1,
        "perflog try --source als_perf --facility als run.log": 1,
        f"perflog explain {WRONG_LINE}": 1,
    },
)
ALL_PAGES = [ROOT / "README.md", *PAGES]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a clone with settings of its own, whose grammars a command may change, and a log."""
    for name in ("deploy", "dashboards", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "grammars", tmp_path / "grammars")
    settings = (ROOT / "deploy" / "settings.example.toml").read_text()
    assert '\n# grammars = "grammars"' in settings
    (tmp_path / "perflog.toml").write_text(settings.replace('\n# grammars = "grammars"', '\ngrammars = "grammars"'))
    (tmp_path / "run.log").write_text(OWN_LINES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PERFLOG_CONFIG", raising=False)
    monkeypatch.setenv("PERFLOG_HOME", str(tmp_path / "home"))
    return tmp_path


def faults(commands: list[CommandLine]) -> list[str]:
    """What is wrong, each with its page and line."""
    named = ((command, fault_of(command, ROOT, EXPECTED)) for command in commands)
    return [f"{command.place}: {command.text}: {fault}" for command, fault in named if fault]


@pytest.mark.parametrize("path", ALL_PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_line_of_a_page_is_right(path: Path, clone: Path) -> None:
    """In the order of the page, in one folder, as its reader calls them."""
    commands = command_lines(str(path.relative_to(ROOT)), path.read_text())

    wrong = faults(commands)

    if wrong:
        pytest.fail("\n\n".join(wrong), pytrace=False)


def test_every_exit_code_that_is_expected_is_of_a_line_on_a_page() -> None:
    """An exception that no page needs any more would hide a fault of the next page."""
    shown = {command.text for path in ALL_PAGES for command in command_lines(path.name, path.read_text())}

    assert set(EXPECTED.exit_codes) - shown == set()


@pytest.mark.parametrize("name", sorted(SERVER_COMMANDS))
def test_a_command_that_is_only_parsed_exists(name: str) -> None:
    """A name that no command has any more would hide that its lines are run."""
    assert CliRunner().invoke(cli, [*name.split(), "--help"]).exit_code == 0


EXPLAIN = f"$ perflog explain --source als_perf '{SAMPLE_LINE}'"


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("    perflog lint run.log --jsn\n", "No such option '--jsn'"),
        ("See\n`perflog dlq lst`.\n", "No such command 'lst'"),
        ("    perflog analyse run.log\n", "No such command 'analyse'"),
        ("    perflog show --facility als\n", "Missing argument 'RUN'"),
        ("`perflog run --workers some`\n", "'some' is not a valid integer"),
        ("    perflog ship run.log --intake als-lines --framing block\n", "'block' is not one of 'line', 'file'"),
        ("    perflog ship run.log --intake als-line\n", "no intake `als-line`"),
        ("    perflog runs --since yesterday\n", "--since"),
        ("    perflog sources\n    perflog sources als_prf\n", "There is no source `als_prf`"),
        ("    perflog lint missing.log\n", "missing.log cannot be read"),
        ("    perflog source check |\\\n        perflg sources\n", "`perflg` is no command"),
        ("    head -1 missing.log | perflog explain -\n", "exit code 1, not 0"),
        ("    perflog explain 'a line\n", "No closing quotation"),
        ("    ./deploy/demo --kep\n", "No such option '--kep'"),
        ("    ./tests/run --sistem\n", "does not take --sistem"),
        ("    ./tests/run tests/cor\n", "does not take tests/cor"),
        ("    deploy/prepare devel\n", "does not take devel"),
        (f"```text\n{EXPLAIN}\nline 1: read by als_perf: 2 documents\n…\n```\n", "the page prints"),
        ("    perflog --version\n\n```text\nperflog, version 9.9\n```\n", "the page prints"),
    ],
)
@pytest.mark.usefixtures("clone")
def test_a_wrong_command_line_is_named_with_its_line(page: str, fault: str) -> None:
    """A wrong command, option, value, file or output: one fault that says where and what."""
    (only,) = faults(command_lines("page.md", page))

    assert only.startswith("page.md:")
    assert fault in only


@pytest.mark.usefixtures("clone")
def test_right_command_lines_have_no_fault() -> None:
    """Continued, piped, behind a prompt, in prose over two lines, with output beneath or in the same block."""
    page = f"""Mention `perflog dlq` and `perflog ship
--backfill`, and perflog.toml.

    perflog try --source als_perf \\
        deploy/../grammars/als_perf/samples.log  # a comment
    perflog try --source als_perf - < grammars/als_perf/samples.log > out.json && perflog sources als_perf
    tail -n 1 run.log | perflog explain --source als_perf -

```text
line 1: …ignored…
…
```

```text
{EXPLAIN} # …
line 1: read by als_perf: 1 document
…
```
"""
    commands = command_lines("page.md", page)

    assert [(command.line, command.is_inline, command.printed is None) for command in commands] == [
        (1, True, True), (1, True, True), (4, False, True), (6, False, True), (7, False, False), (15, False, False),
    ]  # fmt: skip
    assert faults(commands) == []


def test_a_fence_says_what_stands_in_it() -> None:
    """One without a language could hide a command line: it is refused, with page and line."""
    with pytest.raises(ValueError, match=r"page\.md:2: the fence names none of"):
        command_lines("page.md", "Text\n```\nperflog run\n```\n")


@pytest.mark.parametrize(
    ("printed", "output", "is_right"),
    [
        ("a 1\n…\nd", "a 1\nb\nc\nd\n", True),
        ("a 1\n…\nd", "a 1\nd\n", True),
        ("a …\nb", "a 1 2\nb\n", True),
        ("a 1\nb", "a 1   \nb\n\n", True),
        ("a 1", "a 2\n", False),
        ("a 1", "a 1\nb\n", False),
        ("a 1\n…\nd", "a 1\nb\n", False),
        ("a …", "a 1\nb\n", False),
    ],
)
def test_output_is_compared_line_by_line(printed: str, output: str, is_right: bool) -> None:
    """`…` in a line stands for any text of that line, alone for any lines; blanks at the ends of lines do not count."""
    assert (output_fault(printed, output) is None) == is_right


def test_the_numbers_of_a_benchmark_may_differ() -> None:
    """Its words may not."""
    assert output_fault("bare   1,156 lines/s", "bare    52 lines/s\n", any_numbers=True) is None
    assert output_fault("bare   1,156 lines/s", "bare    52 MB/s\n", any_numbers=True) is not None
