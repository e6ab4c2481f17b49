"""Compiles boards (dashboards/*.toml) into Kibana's saved objects. The files' contents are passed as arguments.

A board is compiled by value: its one dashboard object contains everything it shows; only the data views are separate.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from ingest.core.dashboards import lens
from ingest.core.dashboards.definition import Board, Control, Panel
from ingest.core.dashboards.lens import Direction
from ingest.core.dashboards.saved_objects import (
    Reference,
    SavedObject,
    data_views,
    object_id,
    reference,
    saved_object,
    text,
)
from ingest.core.fields import Schema

_PANEL_VERSION = "8.9.0"
_LEAST_HEIGHT = 5


@dataclass(frozen=True, slots=True)
class _Maker:
    """What every panel of a compilation needs besides its own definition."""

    schema: Schema
    specs: Mapping[str, str]
    directions: lens.Colours
    space: str

    def markdown(self, panel: Panel) -> tuple[str, dict[str, Any], list[Reference]]:
        params = {"fontSize": 12, "openLinksInNewTab": False, "markdown": panel.text.strip()}
        return (
            "visualization",
            {"savedVis": _visualization(panel.title, "markdown", params), "hidePanelTitles": True},
            [],
        )

    def vega(self, panel: Panel) -> tuple[str, dict[str, Any], list[Reference]]:
        return "visualization", {"savedVis": _visualization(panel.title, "vega", {"spec": self.specs[panel.spec]})}, []

    def lines(self, panel: Panel) -> tuple[str, dict[str, Any], list[Reference]]:
        return self._over_time(panel, "line")

    def bars(self, panel: Panel) -> tuple[str, dict[str, Any], list[Reference]]:
        """Draw bars: counts may be stacked, measured values never; bars side by side would leave the time axis."""
        return self._over_time(panel, "bar" if panel.field and len(self.directions) != 1 else "bar_stacked")

    def _over_time(self, panel: Panel, series_type: str) -> tuple[str, dict[str, Any], list[Reference]]:
        field = self.schema.fields.get(panel.field)
        metric = lens.count(panel.title)
        if panel.field:
            metric = lens.value(panel.worst_of, panel.title, panel.field, field.unit if field else None)
        return self._lens(panel, lens.over_time(series_type, metric, self.directions, panel.query, panel.interval))

    def table(self, panel: Panel) -> tuple[str, dict[str, Any], list[Reference]]:
        either = " or ".join(f"({lens.one_way(direction)})" for direction in self.directions)
        return self._lens(panel, lens.table(panel.rows, lens.count("Results"), lens.both(panel.query, either)))

    def number(self, panel: Panel) -> tuple[str, dict[str, Any], list[Reference]]:
        form, config, references = self._lens(panel, lens.number(lens.count(panel.title), panel.query))
        return form, {**config, "hidePanelTitles": True}, references

    def _lens(self, panel: Panel, chart: lens.Chart) -> tuple[str, dict[str, Any], list[Reference]]:
        attributes, references = lens.attributes(panel.title, panel.kind, self.space, chart)
        return "lens", {"attributes": attributes}, references


_FORMS: Mapping[str, Callable[[_Maker, Panel], tuple[str, dict[str, Any], list[Reference]]]] = {
    "markdown": _Maker.markdown,
    "vega": _Maker.vega,
    "lines": _Maker.lines,
    "bars": _Maker.bars,
    "table": _Maker.table,
    "number": _Maker.number,
}


def _visualization(title: str, form: str, params: dict[str, Any]) -> dict[str, Any]:
    source = {"query": {"query": "", "language": "kuery"}, "filter": []}
    data = {"aggs": [], "searchSource": source}
    return {"title": title, "description": "", "type": form, "params": params, "uiState": {}, "data": data}


def _control_group(controls: Sequence[Control], space: str) -> tuple[dict[str, Any], list[Reference]]:
    choices = {
        control.key: {
            "order": number,
            "width": "medium",
            "grow": True,
            "type": "optionsListControl",
            "explicitInput": {
                "id": control.key,
                "fieldName": control.field,
                "title": control.title,
                "searchTechnique": "prefix",
                "selectedOptions": [],
                "enhancements": {},
            },
        }
        for number, control in enumerate(controls)
    }
    heed = {f"ignore{what}": False for what in ("Filters", "Query", "Timerange", "Validations")}
    group = {
        "chainingSystem": "HIERARCHICAL",
        "controlStyle": "oneLine",
        "ignoreParentSettingsJSON": text(heed),
        "panelsJSON": text(choices),
    }
    names = [(f"controlGroup_{control.key}:optionsListDataView", control.kind) for control in controls]
    return group, [reference(name, "index-pattern", kind, space) for name, kind in names]


def _parts(panels: Iterable[Panel], maker: _Maker) -> Iterator[tuple[Panel, _Maker]]:
    """Yield the panels; bars of measured values become one panel per direction, stacked, if the height suffices."""
    for panel in panels:
        height = panel.grid.h // max(1, len(maker.directions))
        if panel.form != "bars" or not panel.field or len(maker.directions) < 2 or height < _LEAST_HEIGHT:
            yield panel, maker
            continue
        for number, (direction, colour) in enumerate(maker.directions.items()):
            grid = replace(panel.grid, y=panel.grid.y + number * height, h=height)
            title = f"{panel.title}, {direction[0]} → {direction[1]}"
            part = replace(panel, key=f"{panel.key}-{number}", title=title, grid=grid)
            yield part, replace(maker, directions={direction: colour})


def _dashboard(board: Board, whole: _Maker) -> SavedObject:
    panels: list[dict[str, Any]] = []
    group, references = _control_group(board.controls, whole.space)
    for panel, maker in _parts(board.panels, whole):
        form, config, used = _FORMS[panel.form](maker, panel)
        grid = {"x": panel.grid.x, "y": panel.grid.y, "w": panel.grid.w, "h": panel.grid.h, "i": panel.key}
        saved_panel = {
            "version": _PANEL_VERSION,
            "type": form,
            "panelIndex": panel.key,
            "gridData": grid,
            "title": panel.title,
        }
        panels.append(saved_panel | {"embeddableConfig": config | {"enhancements": {}}})
        references += [{**item, "name": f"{panel.key}:{item['name']}"} for item in used]
    options = {
        "useMargins": True,
        "syncColors": False,
        "syncCursor": True,
        "syncTooltips": False,
        "hidePanelTitles": False,
    }
    attributes = {
        "title": board.title,
        "description": board.description,
        "version": 1,
        "timeRestore": True,
        "timeFrom": board.time["from"],
        "timeTo": board.time["to"],
        "refreshInterval": {"pause": True, "value": 60000},
        "optionsJSON": text(options),
        "panelsJSON": text(panels),
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": text({"query": {"query": "", "language": "kuery"}, "filter": []})
        },
        "controlGroupInput": group,
    }
    return saved_object("dashboard", board.key, whole.space, attributes, references)


def compile_boards(
    boards: Iterable[Board],
    schema: Schema,
    specs: Mapping[str, str],
    pairs: Iterable[Direction] = (),
    space: str = "",
) -> list[SavedObject]:
    """Return data views and dashboards, in the order of the import file.

    Args:
        boards: the boards to compile.
        schema: the list of fields: data views, units and formats come from it.
        specs: Vega specifications by file name.
        pairs: pairs of sites; each is shown in both directions. If there are none, every pair of addresses is a series.
        space: Kibana space; "" is the default space.
    """
    directions = lens.coloured(direction for pair in pairs for direction in (pair, (pair[1], pair[0])))
    maker = _Maker(schema, specs, directions, space)
    return [*data_views(schema, space), *(_dashboard(board, maker) for board in boards)]


def board_path(key: str, space: str = "", start: str = "", end: str = "") -> str:
    """Return the board's path below Kibana's address, with a time range (ISO 8601 or `now-24h`) if one is given."""
    prefix = f"/s/{quote(space)}" if space else ""
    path = f"{prefix}/app/dashboards#/view/{object_id('dashboard', key, space)}"
    return f"{path}?_g=(time:(from:'{_instant(start)}',to:'{_instant(end)}'))" if start and end else path


def _instant(moment: str) -> str:
    """Format a time like Kibana, which otherwise shows "11 years ago"; other text (`now-24h`) stays as it is."""
    try:
        when = datetime.fromisoformat(moment)
    except ValueError:
        return quote(moment, safe="")
    utc = when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03}Z"
