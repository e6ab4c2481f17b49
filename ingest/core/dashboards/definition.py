"""Reads a board as people write it (dashboards/*.toml), and refuses errors with a reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any, TypeVar

from ingest.core.model import ExitCode, Problem

FORMS = ("markdown", "vega", "lines", "bars", "table", "number")
WORST = ("min", "max")
_REMEDY = "See the head of dashboards/runs-beside-the-network.toml."
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Grid:
    """A panel's position and size: in columns of 48, and rows of some 20 pixels."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True, slots=True)
class Control:
    """A selector above the board. It filters every panel that follows filters, so all controls are of one kind."""

    key: str
    kind: str
    field: str
    title: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; which optional keys it takes depends on its form, one of `FORMS`."""

    key: str
    form: str
    grid: Grid
    title: str = ""
    kind: str = ""
    text: str = ""
    spec: str = ""
    query: str = ""
    field: str = ""
    worst_of: str = ""
    interval: str = "auto"
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Board:
    """A board, read, and checked as far as possible without the list of fields."""

    key: str
    title: str
    description: str
    time: Mapping[str, str]
    panels: tuple[Panel, ...]
    controls: tuple[Control, ...] = ()


def _read(cls: Callable[..., T], raw: Any, where: str) -> T:
    known = {f.name for f in fields_of(cls)}  # type: ignore[arg-type]
    if not isinstance(raw, dict) or not raw.keys() <= known:
        odd = sorted(raw.keys() - known) if isinstance(raw, dict) else raw
        raise Problem(
            f"{where}: {odd} is not known there.", f"Known are: {', '.join(sorted(known))}.", ExitCode.BAD_DATA
        )
    try:
        return cls(**{key: tuple(item) if isinstance(item, list) else item for key, item in raw.items()})
    except TypeError as error:
        raise Problem(f"{where}: {error}.", _REMEDY, ExitCode.BAD_DATA) from error


def _panel(raw: Mapping[str, Any], where: str, specs: Mapping[str, str]) -> Panel:
    position = f"{where}, panel `{raw.get('key')}`"
    panel = _read(Panel, {**raw, "grid": _read(Grid, raw.get("grid"), f"{position}, grid")}, position)
    if panel.form not in FORMS:
        raise Problem(
            f"{position}: there is no form `{panel.form}`.", f"There are: {', '.join(FORMS)}.", ExitCode.BAD_DATA
        )
    if panel.form == "vega" and panel.spec not in specs:
        raise Problem(
            f"{position}: there is no file `{panel.spec}` beside the board.",
            "Name one that is there.",
            ExitCode.BAD_DATA,
        )
    if (panel.field or panel.form == "lines") and (not panel.field or panel.worst_of not in WORST):
        raise Problem(
            f"{position}: `field` and `worst_of` go together.",
            f"worst_of takes {' or '.join(WORST)}.",
            ExitCode.BAD_DATA,
        )
    return panel


def read_board(tree: Mapping[str, Any], where: str, specs: Mapping[str, str]) -> Board:
    """Read a board from its decoded TOML; `specs`: the Vega files beside it, by name. Raises `Problem` (65)."""
    panels = tuple(_panel(raw, where, specs) for raw in tree.get("panel", ()))
    controls = tuple(_read(Control, raw, f"{where}, control") for raw in tree.get("control", ()))
    if len({control.kind for control in controls}) > 1:
        raise Problem(
            f"{where}: controls of more than one kind: each would empty the panels of the other.",
            "Keep the controls of one kind.",
            ExitCode.BAD_DATA,
        )
    if {"panels", "controls"} & tree.keys():
        raise Problem(
            f"{where}: panels and controls are written one by one.", "As [[panel]] and [[control]].", ExitCode.BAD_DATA
        )
    rest = {key: item for key, item in tree.items() if key not in ("panel", "control")}
    return _read(Board, {**rest, "panels": panels, "controls": controls}, where)
