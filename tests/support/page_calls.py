"""Calls a page's command lines in a folder like a clone: runs those that need no servers, parses the others by click.

A line with a pipe or a redirection runs in bash, with the installed `perflog`; others in this process, on a terminal.
Each check gives a sentence that says what is wrong, or None.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import click
from click.testing import CliRunner

from ingest.cli.main import cli, main
from ingest.cli.options import parse_moment
from ingest.config.load import load_settings
from ingest.core.model import Problem
from tests.support.page_commands import CommandLine, needs_shell, segments

COLUMNS = "96"  # below 100 the waterfall leaves its clock out, and fits on a page
TERMINAL = {"COLUMNS": COLUMNS, "TERM": "xterm-256color", "NO_COLOR": None, "PERFLOG_CONFIG": None}
SERVER_COMMANDS = frozenset(
    {
        "demo", "stack up", "stack status", "stack down", "setup", "ship", "run", "sweep", "runs", "show", "gaps",
        "alerts run", "alerts list", "workflow learn", "workflow list", "workflow show", "dashboards import",
        "dlq list", "dlq show", "dlq replay", "dlq purge", "replay", "bench index", "bench replay",
    }
)  # fmt: skip
# A benchmark is run on so little that it takes a second; the numbers that the page prints are of any size.
SMALLER = {"bench parse": ("--lines", "1000", "--repeat", "1"), "bench memory": ("--lines", "10000")}
# Where a script says which words it takes.
SCRIPTS = {
    "deploy/prepare": r"^ +([a-z |]+)\) extra=",
    "tests/run": r" = (--[a-z]+) \]",
    "tests/bare": r"^ +(--[a-z-]+)\)",
}
ANYTHING = "…"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_NUMBERS = re.compile(r"[0-9][0-9.,]*")


class Call(NamedTuple):
    """A command that click has parsed: its name with that of its group, and its values by option or argument."""

    name: str
    options: Mapping[str, Any]

    @property
    def needs_servers(self) -> bool:
        """Whether Kafka, Elasticsearch or Kibana must answer."""
        sends = self.name == "generate" and self.options["intake"] is not None
        asks = self.name == "compare" and not self.options["file"]
        return self.name in SERVER_COMMANDS or sends or asks


class Expected(NamedTuple):
    """What a page's lines need beside a clone: words for its placeholders, exit codes other than 0."""

    placeholders: Mapping[str, str]
    exit_codes: Mapping[str, int]


def fault_of(command: CommandLine, root: Path, expected: Expected) -> str | None:
    """Run or parse a command line in the current folder; None if the page is right."""
    try:
        pipeline = [[expected.placeholders.get(word, word) for word in words] for words in segments(command.text)]
        calls = [_parsed(words, root) for words in pipeline]
    except (click.MissingParameter, click.exceptions.NoArgsIsHelpError) as error:
        return None if command.is_inline else error.format_message()
    except click.ClickException as error:
        return error.format_message()
    except (ValueError, Problem) as error:
        return str(error)
    if any(call is None or call.needs_servers for call in calls):
        return None
    smaller = SMALLER.get(calls[-1].name, ()) if calls[-1] else ()
    ended = _in_bash(command.text) if needs_shell(command.text) else _in_process([*pipeline[0], *smaller])
    expected_code = expected.exit_codes.get(command.text, 0)
    if ended.exit_code != expected_code:
        return f"exit code {ended.exit_code}, not {expected_code}:\n{ended.output}"
    return output_fault(command.printed, ended.output, any_numbers=bool(smaller))


def output_fault(printed: str | None, output: str, any_numbers: bool = False) -> str | None:
    """Compare what a page prints with the output: `…` stands for any text, alone on a line for any lines."""
    if printed is None:
        return None
    pattern = "".join(map(_pattern, _lines(printed, any_numbers)))
    if re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(output, any_numbers))):
        return None
    return f"the page prints\n{printed}\nbut the output is\n{output}"


def _pattern(line: str) -> str:
    if line == ANYTHING:
        return r"(?:.*\n)*?"
    return ".*".join(map(re.escape, line.split(ANYTHING))) + r"\n"


def _lines(text: str, any_numbers: bool) -> list[str]:
    """Lines without blanks at their ends; with `any_numbers` each number is 0, and columns have no width."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return [" ".join(_NUMBERS.sub("0", line).split()) for line in lines] if any_numbers else lines


def _parsed(words: Sequence[str], root: Path) -> Call | None:
    """Let click parse `perflog` and `deploy/demo`; None for a script that is not run here."""
    program, *arguments = words
    name = program.removeprefix("./").removeprefix(".venv/bin/")
    if name == "perflog":
        return _call(arguments)
    if name == "deploy/demo":
        return _call(["demo", *arguments])
    if name in SCRIPTS:
        _check_script(root, name, arguments)
        return None
    if shutil.which(program) is None:
        raise ValueError(f"`{program}` is no command")
    return Call(program, {})


def _check_script(root: Path, name: str, arguments: Sequence[str]) -> None:
    """A script takes its own words (`dev`, `--system`), and `tests/run` paths for pytest."""
    own = re.findall(SCRIPTS[name], (root / name).read_text(), re.MULTILINE)
    words = {word for alternatives in own for word in alternatives.split(" | ")}
    for word in arguments:
        if word not in words and not (name == "tests/run" and (root / word).exists()):
            raise ValueError(f"`{name}` does not take {word}")


def _call(arguments: Sequence[str]) -> Call:
    """Parse the words as `perflog` does, group by group; an unknown name, option or value is a ClickException."""
    command: click.Command = cli
    names, words, context = ["perflog"], list(arguments), None
    while True:
        try:
            with redirect_stdout(StringIO()):
                context = command.make_context(names[-1], words, parent=context)
        except click.exceptions.Exit:
            return Call(" ".join([*names[1:], "--help"]), {})
        rest = [*context._protected_args, *context.args]
        if not isinstance(command, click.Group) or not rest:
            options = {param.opts[-1].lstrip("-"): context.params.get(str(param.name)) for param in command.params}
            _check_values(options)
            return Call(" ".join(names[1:]), options)
        name, inner, words = command.resolve_command(context, rest)
        assert name is not None
        assert inner is not None
        names, command = [*names, name], inner


def _check_values(options: Mapping[str, Any]) -> None:
    """Check what commands themselves read: times, and the intakes of the settings."""
    for option in ("since", "until", "now"):
        parse_moment(f"--{option}", options.get(option), 0)
    intakes = options.get("intake") or ()
    for intake in (intakes,) if isinstance(intakes, str) else intakes:
        if intake not in load_settings().intakes:
            raise ValueError(f"the example settings have no intake `{intake}`")


class Ended(NamedTuple):
    """How a command line ended, and what it printed, without colours."""

    exit_code: int
    output: str


def _in_process(words: Sequence[str]) -> Ended:
    """Run `perflog` as on a terminal; a progress bar goes to standard error, which is none."""
    expanded = [path for word in words[1:] for path in _paths(word)]
    code: object = None
    with (
        CliRunner().isolation(env=TERMINAL) as (out, err, _),
        patch.object(sys, "argv", ["perflog", *expanded]),
        patch.object(sys.stdout, "isatty", lambda: True),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int), "it ends by an exit code"
    return Ended(code, _COLOURS.sub("", (out.getvalue() + err.getvalue()).decode()))


def _paths(word: str) -> list[str]:
    """Expand `*` to the files of this folder, as a shell does."""
    is_pattern = "*" in word and not Path(word).is_absolute()
    return sorted(map(str, Path().glob(word))) if is_pattern else [word]


def _in_bash(text: str) -> Ended:
    """Run the line as a user's shell does, with the `perflog` that is installed beside this Python."""
    beside = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{beside}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    command = ["bash", "-o", "pipefail", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return Ended(done.returncode, done.stdout + done.stderr)
