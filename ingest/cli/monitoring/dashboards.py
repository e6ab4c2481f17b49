"""`perflog dashboards`: compiles the boards under dashboards/ for Kibana, into a file or into a running Kibana."""

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import click

from ingest.cli.console import echo, escape_json, open_error_console
from ingest.cli.options import with_options
from ingest.config.load import load_settings
from ingest.config.paths import data_folder
from ingest.core.dashboards.checks import check
from ingest.core.dashboards.compiler import board_path, compile_boards
from ingest.core.dashboards.definition import Board, read_board
from ingest.core.dashboards.saved_objects import SavedObject, ndjson
from ingest.core.fields import load_schema
from ingest.core.model import ExitCode, Problem
from ingest.edge.kibana.client import Access, Kibana


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardsImportOptions:
    """The Kibana that `perflog dashboards import` writes to, and the time that the printed links open."""

    url: str
    space: str
    api_key: str | None
    user: str | None
    password: str | None
    ca_cert: str | None
    wait_s: float
    start: str
    end: str


@click.group("dashboards")
def command() -> None:
    """Put the board into Kibana, 8.9 or newer."""


@command.command("import")
@click.option(
    "--kibana", "url", required=True, envvar="KIBANA_URL", help="Address of Kibana, e.g. http://127.0.0.1:5601."
)
@click.option("--space", default="", help="Kibana space, which must exist.  [default: the default space]")
@click.option(
    "--api-key", envvar="KIBANA_API_KEY", help="API key. Better set $KIBANA_API_KEY, which `ps` does not show."
)
@click.option("--user", envvar="KIBANA_USER", help="User name, instead of an API key; asks for the password.")
@click.option("--password", envvar="KIBANA_PASSWORD", help="Password of --user. Better set $KIBANA_PASSWORD.")
@click.option("--ca-cert", type=click.Path(exists=True, dir_okay=False), help="PEM file of the authority to trust.")
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), default=30, show_default=True,
              help="Seconds to wait for a Kibana that is starting.")  # fmt: skip
@click.option(
    "--from", "start", default="", help="Begin of the time that the board opens (ISO 8601 or now-24h); with --to."
)
@click.option("--to", "end", default="", help="End of that time.")
@with_options(DashboardsImportOptions)
def import_(settings_path: Path | None, options: DashboardsImportOptions) -> None:
    """Compile, import (existing objects are replaced), read back and compare; fail on any error in the response."""
    if bool(options.start) != bool(options.end):
        raise click.UsageError("--from and --to go together.")
    password = options.password
    if options.user and not options.api_key and password is None:
        password = click.prompt("Password", hide_input=True)
    boards, objects = _compile_boards(settings_path, options.space)
    access = Access(options.url, options.space, options.api_key, options.user, password, options.ca_cert)
    kibana = Kibana(access)
    with open_error_console().status(f"Kibana at {access.base} …"):
        version = kibana.wait(options.wait_s)
        count = kibana.put(objects, version)
    name = "Kibana" if version is None else f"Kibana {'.'.join(map(str, version))}"
    echo(f"{name} at {access.base} has {count} objects, read back and compared.")
    for board in boards:
        echo(f"{board.title}: {access.base}{board_path(board.key, options.space, options.start, options.end)}")


@command.command("compile")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write. Default: standard output."
)
@click.option("--space", default="", help="Kibana space that the file is for: ids differ from space to space.")
@click.pass_obj
def compile_(settings_path: Path | None, /, output: Path | None, space: str) -> None:
    """Write the file for Kibana's own import (Stack Management, Saved Objects); its name must end in .ndjson."""
    _, objects = _compile_boards(settings_path, space)
    if output is None:
        sys.stdout.buffer.write(escape_json(ndjson(objects)))
        return
    try:
        output.write_bytes(ndjson(objects))
    except OSError as error:
        raise Problem(
            f"{output} cannot be written: {error.strerror}.", "Name another file with -o.", ExitCode.CANNOT_CREATE
        ) from error
    echo(f"{output}: {len(objects)} objects.")


def _compile_boards(settings_path: Path | None, space: str) -> tuple[list[Board], list[SavedObject]]:
    """Return all boards and their compiled objects, checked; the pairs of sites come from the settings' workflows."""
    settings = load_settings(settings_path)
    folder = data_folder("dashboards")
    specs = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.vg.json"))}
    boards = [_load_board(path, specs) for path in sorted(folder.glob("*.toml"))]
    schema = load_schema(settings.grammars / "fields.toml")
    pairs = [pair for workflow in settings.workflows.values() for pair in workflow.pairs]
    objects = compile_boards(boards, schema, specs, pairs, space)
    check(objects, schema)
    return boards, objects


def _load_board(path: Path, specs: dict[str, str]) -> Board:
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise Problem(f"{path} is not TOML: {error}.", "Correct the file.", ExitCode.BAD_DATA) from error
    return read_board(tree, path.name, specs)
