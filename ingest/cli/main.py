"""Entry point of `perflog` and `python -m ingest`. Imports a subcommand only when it is called.

Problems become one sentence and an `ExitCode`.
"""

import sys
from collections.abc import Mapping
from importlib import import_module
from io import StringIO
from pathlib import Path

import click

from ingest.cli.console import echo, prepare_streams, print_traceback
from ingest.core.model import ExitCode, Problem
from ingest.pipeline.signals import interrupt_on_signals, leave, was_interrupted
from ingest.telemetry import libraries_logged, log_libraries

GROUPS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Start here": {
        "demo": (
            "pipeline.demo",
            "Everything at once: servers, the 35 sample lines, a day of network results, the answer.",
        ),
        "stack": ("pipeline.stack", "A real Kafka broker and Elasticsearch node on this machine."),
        "setup": ("pipeline.setup", "Create the topics and templates that are missing."),
        "ship": ("pipeline.ship", "Send files to Kafka."),
        "run": ("pipeline.run", "From Kafka to Elasticsearch, until stopped."),
        "sweep": ("pipeline.sweep", "Advance runs by event time (quiet, closed, abandoned); find gaps in files."),
        "generate": (
            "pipeline.generate",
            "Generate lines and results with known truth, into files or to Kafka at a rate.",
        ),
    },
    "Runs": {
        "runs": ("runs.runs", "The stored runs: state, queue, dispatch, total, the longest stage."),
        "show": ("runs.show", "One run: its stages, how long each took, how certain that is."),
        "compare": (
            "runs.compare",
            "Two runs, stage by stage: seconds, differences, percent, and how certain they are.",
        ),
        "analyze": (
            "runs.analyze",
            "Files without servers: runs, waits, outliers, a waterfall; the same numbers as stored ones.",
        ),
    },
    "Transfers": {
        "transfers": ("transfers.transfers", "What moved, between whom, how fast; each movement once."),
    },
    "Lines and sources": {
        "try": ("sources.try_", "What would these bytes become? No servers."),
        "explain": ("sources.explain", "Which token became which field, or why a line is rejected."),
        "lint": ("sources.lint", "What information lines lose, by the script that prints them, and the fix."),
        "sources": ("sources.sources", "What can be read: each source, its fields, units and identity."),
        "source": ("sources.source", "Work on a source: create it, check what its samples become."),
    },
    "What is slow, missing or incomplete": {
        "alerts": ("monitoring.alerts", "Alarms: stages slower than usual, reported once, with the numbers."),
        "gaps": ("monitoring.gaps", "What is missing from which file, since when, and when it was filled."),
        "inventory": ("monitoring.inventory", "Hosts with site and role; expected tests, and which do not arrive."),
        "workflow": (
            "monitoring.workflow",
            "Templates of workflows: learn, list, show; they say which runs are complete.",
        ),
        "dashboards": ("monitoring.dashboards", "Put the board into Kibana."),
    },
    "When something went wrong": {
        "dlq": ("recovery.dlq", "Dead letters: rejected records by what broke; show, replay, purge."),
        "replay": (
            "recovery.replay",
            "Read stored lines again, to correct them after a new revision, or only to compare.",
        ),
    },
    "How fast": {
        "bench": ("bench.bench", "How fast perflog is on this machine."),
    },
}
"""Heading -> command -> (module below ingest.cli, what it is for), the everyday ones first."""
COMMANDS = {name: command for commands in GROUPS.values() for name, command in commands.items()}


class LazyGroup(click.Group):
    """A group that imports its commands only when they are called, so that `try` does not wait for Kafka's client."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import ingest.cli.<module> and return its `command`."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"ingest.cli.{COMMANDS[cmd_name][0]}").command
        assert isinstance(command, click.Command)  # noqa: S101 - every command module ends in one
        _take_verbose(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by group, without importing them."""
        for heading, commands in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, words) for name, (_, words) in commands.items()])


def _verbose() -> click.Option:
    """Return the option `--verbose`, which is the same before and after a command."""
    words = "Also log the client libraries, and what a problem came from; before or after the command."
    return click.Option(
        ["--verbose"], is_flag=True, is_eager=True, expose_value=False, callback=_set_verbose, help=words
    )


def _set_verbose(_context: click.Context, _option: click.Parameter, is_given: bool) -> None:
    if is_given:
        log_libraries(wanted=True)


def _take_verbose(command: click.Command) -> None:
    """Let a command, and the commands of a group, take `--verbose` too."""
    if not any("--verbose" in option.opts for option in command.params):
        command.params.append(_verbose())
    for part in command.commands.values() if isinstance(command, click.Group) else ():
        _take_verbose(part)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="perflog-ingest", prog_name="perflog")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file. Default: $PERFLOG_CONFIG, ./perflog.toml, else settings that fit the local stack.",
)
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """perflog: how long did each stage take, and what did the network do in the same minutes?"""
    context.obj = config


cli.params.append(_verbose())


def main() -> None:
    """Run the command line; a problem, SIGTERM and Ctrl-C end it with one sentence and an exit code."""
    prepare_streams()
    sys.excepthook = print_traceback
    log_libraries(wanted=False)
    with interrupt_on_signals():
        try:
            code = _exit_code()
        except (Exception, KeyboardInterrupt):
            if not was_interrupted():
                raise
            code = _stopped()  # a call that was interrupted may end in any error
        leave(code if isinstance(code, int) else 0)


def _exit_code() -> object:
    """Run the command and return its exit code."""
    try:
        code: object = cli.main(prog_name="perflog", standalone_mode=False)
    except Problem as problem:
        if libraries_logged():
            print_traceback(type(problem), problem, problem.__traceback__)
        echo(f"perflog: {problem}", err=True)
        code = problem.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        code = _stopped()
    except click.ClickException as error:
        words = StringIO()
        error.show(words)
        echo(words.getvalue(), err=True, nl=False)
        code = ExitCode.USAGE if isinstance(error, click.UsageError) else error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output left: not an error, and nothing more can be said
        code = 0
    return code


def _stopped() -> int:
    echo("perflog: stopped", err=True)
    return ExitCode.INTERRUPTED
