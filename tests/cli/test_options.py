"""What click passes to each command, beside what the command declares: the one seam that mypy cannot see."""

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from inspect import signature, unwrap
from pathlib import Path
from typing import Any, get_type_hints

import click
import pytest

from ingest.cli.main import COMMANDS, cli
from ingest.cli.options import parse_period, with_options
from ingest.core.model import Problem

FROM_CONTEXT = {"settings_path", "_settings_path", "grammars_folder"}  # from the group, not from the command's options
TYPES: dict[type, type] = {
    click.types.StringParamType: str,
    click.Choice: str,
    click.types.IntParamType: int,
    click.IntRange: int,
    click.types.FloatParamType: float,
    click.FloatRange: float,
    click.types.BoolParamType: bool,
}


def list_passed(command: click.Command) -> dict[str, object]:
    """The name and type of each value that click passes to the command."""
    context = command.make_context(command.name, [], resilient_parsing=True)
    return {
        parameter.name or "": type_of_values(parameter, context.params[parameter.name or ""])
        for parameter in command.params
        if parameter.expose_value
    }


def type_of_values(parameter: click.Parameter, default: object) -> object:
    if isinstance(parameter.type, click.Path):
        value_type: Any = parameter.type.type or str
    elif parameter.callback:
        value_type = int  # the only one: `stack up --elasticsearch 9`
    else:
        value_type = TYPES[type(parameter.type)]
    if parameter.multiple if isinstance(parameter, click.Option) else parameter.nargs == -1:
        return tuple[value_type, ...]
    return value_type | None if default is None and not parameter.required else value_type


def list_declared(command: click.Command) -> dict[str, object]:
    """The name and type of each option that the command declares: as its parameters, or as fields of one of them."""
    function = unwrap(command.callback or (lambda: None))
    hints = {
        name: get_type_hints(function)[name] for name in signature(function).parameters if name not in FROM_CONTEXT
    }
    kind = next((hint for hint in hints.values() if is_dataclass(hint)), None)
    if kind is None:
        return hints
    filled = {field.name for field in fields(kind) if field.default is MISSING} | list_passed(command).keys()
    return {name: hint for name, hint in get_type_hints(kind).items() if name in filled}


def walk_commands(command: click.Command, words: tuple[str, ...]) -> Iterator[Any]:
    """Every command below this one that does something itself."""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from walk_commands(below, (*words, name))
    else:
        yield pytest.param(command, id=" ".join(words))


ALL = [
    case
    for name in COMMANDS
    for case in walk_commands(cli.get_command(click.Context(cli), name) or click.Command(name), (name,))
]


@pytest.mark.parametrize("command", ALL)
def test_a_command_declares_the_options_that_click_passes(command: click.Command) -> None:
    """Names and types agree: a flag is a bool, and an optional value may be None."""
    assert list_declared(command) == list_passed(command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Options of the command below, of which two are declared otherwise than click passes them."""

    path: Path
    limit: int
    quiet: bool


def test_a_command_that_declares_something_else_is_noticed() -> None:
    """The comparison of all commands can fail: for a name and for a type."""

    @click.command()
    @click.option("--path", type=click.Path(path_type=Path))
    @click.option("--limit", type=int, required=True)
    @click.option("--silent", is_flag=True)
    @with_options(Declared)
    def command(_settings_path: Path | None, _options: Declared) -> None:
        """Do nothing."""

    assert list_declared(command) == {"path": Path, "limit": int, "quiet": bool}
    assert list_passed(command) == {"path": Path | None, "limit": int, "silent": bool}


def test_a_period_may_lack_either_bound() -> None:
    """An age counts from now; no option, no bound; an error names its option."""
    assert parse_period("2h", None, 7_200_001) == (1, None)
    assert parse_period(None, "1970-01-01", 0) == (None, 0)
    with pytest.raises(Problem, match="--until"):
        parse_period(None, "yesterday", 0)
