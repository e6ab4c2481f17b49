"""Lens charts as Kibana stores them: lines and bars over time, tables, numbers.

A chart is built by value: as attributes, and the references that these attributes use.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from ingest.core.dashboards.saved_objects import Reference, reference

Direction = tuple[str, str]
Column = dict[str, Any]
Colours = Mapping[Direction, str]
LAYER = "results"
_LAYER_REFERENCE = "indexpattern-datasource-layer-"
_MOST_SERIES = 12
# Distinguishable with any colour vision, in both themes; none is a colour of the stages.
_COLOURS = ("#DA8B45", "#9170B8", "#54B399", "#D6BF57", "#AA6556", "#B9A888")
_FORMATS: Mapping[str, dict[str, Any]] = {
    "bit/s": {"id": "bits", "params": {"decimals": 1, "suffix": "/s"}},
    "1": {"id": "percent", "params": {"decimals": 3}},
    "ms": {"id": "number", "params": {"decimals": 2, "suffix": " ms"}},
    "s": {"id": "number", "params": {"decimals": 0, "suffix": " s"}},
    "bytes": {"id": "bytes", "params": {"decimals": 1}},
}


@dataclass(frozen=True, slots=True)
class Chart:
    """Kibana's name of a visualization, its columns in display order, and the state that refers to them."""

    form: str
    columns: dict[str, Column]
    state: dict[str, Any]


def coloured(directions: Iterable[Direction]) -> dict[Direction, str]:
    """Assign each direction its colour, the same in every chart of a board."""
    return dict(zip(dict.fromkeys(directions), cycle(_COLOURS), strict=False))


def quoted(value: str) -> str:
    """Quote a value for KQL, so that nothing in it can end the string."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def one_way(direction: Direction) -> str:
    """Return the KQL for results from one site to another, without the reverse direction."""
    return f"source.site: {quoted(direction[0])} and destination.site: {quoted(direction[1])}"


def value(op: str, label: str, field: str, unit: str | None = None) -> Column:
    """Return a metric column: `op` is min, max or average of a field; count takes no field."""
    column = {
        "label": label,
        "customLabel": True,
        "dataType": "number",
        "operationType": op,
        "isBucketed": False,
        "scale": "ratio",
        "sourceField": field,
        # Missing stays missing: without this, an interval without results would be drawn as 0.
        "params": {"emptyAsNull": True},
    }
    form = _FORMATS.get(unit or "")
    return column | {"params": {"emptyAsNull": True, "format": form}} if form else column


def count(label: str) -> Column:
    """Return a column that counts results; null, not 0, if there are none."""
    return value("count", label, "___records___")


def _over_time(interval: str) -> Column:
    return {
        "label": "@timestamp",
        "dataType": "date",
        "operationType": "date_histogram",
        "isBucketed": True,
        "scale": "interval",
        "sourceField": "@timestamp",
        "params": {"interval": interval, "includeEmptyRows": True, "dropPartials": False},
    }


def _terms(fields: Sequence[str], label: str, size: int, missing: bool = False) -> Column:
    params: dict[str, Any] = {
        "size": size,
        "orderBy": {"type": "alphabetical", "fallback": False},
        "orderDirection": "asc",
        "otherBucket": missing,  # otherwise Kibana leaves out missing values all the same
        "missingBucket": missing,
        "parentFormat": {"id": "multi_terms" if len(fields) > 1 else "terms"},
        "include": [],
        "exclude": [],
        "includeIsRegex": False,
        "excludeIsRegex": False,
    }
    if len(fields) > 1:
        params["secondaryFields"] = list(fields[1:])
    return {
        "label": label,
        "customLabel": True,
        "dataType": "string",
        "operationType": "terms",
        "isBucketed": True,
        "scale": "ordinal",
        "sourceField": fields[0],
        "params": params,
    }


def both(*queries: str) -> str:
    """Combine KQL queries with `and`; empty ones are left out."""
    return " and ".join(f"({query})" for query in queries if query)


def _series(
    metric: Column, directions: Mapping[Direction, str], query: str
) -> tuple[dict[str, Column], dict[str, Any]]:
    """Return columns and the layer's accessors: one column per direction if known, else one split by addresses."""
    if not directions:
        ends = _terms(("source.address", "destination.address"), "source, destination", _MOST_SERIES)
        return {"ends": ends, "value": metric | _filter(query)}, {"accessors": ["value"], "splitAccessor": "ends"}
    columns = {
        f"way{number}": metric
        | {"label": f"{direction[0]} → {direction[1]}"}
        | _filter(both(query, one_way(direction)))
        for number, direction in enumerate(directions)
    }
    colours = [
        {"forAccessor": key, "color": colour, "axisMode": "left"}
        for key, colour in zip(columns, directions.values(), strict=True)
    ]
    return columns, {"accessors": list(columns), "yConfig": colours}


def _filter(query: str) -> dict[str, Any]:
    return {"filter": {"query": query, "language": "kuery"}} if query else {}


def over_time(series_type: str, metric: Column, directions: Colours, query: str, interval: str = "auto") -> Chart:
    """Build a chart on the board's time axis, one series per direction, of the results that `query` (KQL) selects.

    `directions` maps each direction to its colour; a single one needs no legend. `interval` is the narrowest interval
    (`1m`, or auto): Kibana widens it if the time range is long.
    """
    columns, accessors = _series(metric, directions, query)
    layer = {"layerId": LAYER, "layerType": "data", "seriesType": series_type, "xAccessor": "time"}
    shown = {"x": True, "yLeft": True, "yRight": False}
    state = {
        "legend": {
            "isVisible": len(directions) != 1,
            "position": "bottom",
            "showSingleSeries": True,
            "shouldTruncate": not directions,
        },
        "valueLabels": "hide",
        "fittingFunction": "None",
        "axisTitlesVisibilitySettings": {"x": False, "yLeft": False, "yRight": False},
        "tickLabelsVisibilitySettings": shown,
        "gridlinesVisibilitySettings": shown,
        "labelsOrientation": {"x": 0, "yLeft": 0, "yRight": 0},
        "yLeftExtent": {"mode": "full"},
        "preferredSeriesType": series_type,
        "layers": [layer | {"palette": {"type": "palette", "name": "default"}} | accessors],
    }
    return Chart("lnsXY", {"time": _over_time(interval)} | columns, state)


def table(rows: Sequence[str], metric: Column, query: str) -> Chart:
    """Build a table of the results that `query` (KQL) selects: a column per field of `rows`, and the metric."""
    # The filter is a column of its own: a filtered metric would keep the rows of all other results, empty.
    only = {
        "label": "only",
        "dataType": "string",
        "operationType": "filters",
        "isBucketed": True,
        "scale": "ordinal",
        "params": {"filters": [{"input": {"query": query, "language": "kuery"}, "label": ""}]},
    }
    columns = {f"row{number}": _terms((field,), field, 50, missing=True) for number, field in enumerate(rows)}
    columns = {"only": only} | columns | {"value": metric}
    state = {
        "layerId": LAYER,
        "layerType": "data",
        "columns": [{"columnId": key, "hidden": key == "only"} for key in columns],
        "rowHeight": "single",
        "headerRowHeight": "single",
        "paging": {"size": 20, "enabled": True},
    }
    return Chart("lnsDatatable", columns, state)


def number(metric: Column, query: str) -> Chart:
    """Build a single number: how many results `query` (KQL) selects; here 0 is a valid answer."""
    column = metric | _filter(query) | {"params": {"emptyAsNull": False}}
    return Chart("lnsMetric", {"value": column}, {"layerId": LAYER, "layerType": "data", "metricAccessor": "value"})


def attributes(title: str, kind: str, space: str, chart: Chart) -> tuple[dict[str, Any], list[Reference]]:
    """Return the chart by value, and the one reference it needs: its data view.

    The layer ignores the board's filters: a filter on a field that this kind lacks would empty it. Kibana then ignores
    the
    chart's own query too, so the query is put into the columns' filters.
    """
    columns = chart.columns
    buckets = [key for key, column in columns.items() if column["isBucketed"]]
    layer = {
        "columns": columns,
        "columnOrder": buckets + [key for key in columns if key not in buckets],
        "incompleteColumns": {},
        "ignoreGlobalFilters": True,
        "sampling": 1,
    }
    references = [reference(_LAYER_REFERENCE + LAYER, "index-pattern", kind, space)]
    return {
        "title": title,
        "description": "",
        "visualizationType": chart.form,
        "type": "lens",
        "references": references,
        "state": {
            "datasourceStates": {"formBased": {"layers": {LAYER: layer}}, "textBased": {"layers": {}}},
            "visualization": chart.state,
            "query": {"query": "", "language": "kuery"},
            "filters": [],
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }, references
