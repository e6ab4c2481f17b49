"""Finds which fields the panels and controls of a board use, and of which kind of document."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.core.dashboards.saved_objects import SavedObject
from ingest.core.fields import Schema
from ingest.core.ids import index_pattern

_KQL_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_KQL_FIELD = re.compile(r"([@\w.]+)\s*:")
_RECORDS = "___records___"


def layers_of(panel: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the layers of a panel's Lens chart; empty for any other panel."""
    state = panel["embeddableConfig"].get("attributes", {}).get("state", {})
    layers = state.get("datasourceStates", {}).get("formBased", {}).get("layers", {})
    return layers if isinstance(layers, Mapping) else {}


def kql_fields(query: str) -> set[str]:
    """Return the fields that a KQL query uses."""
    return set(_KQL_FIELD.findall(_KQL_STRING.sub('""', query)))


def _fields_of_layer(layer: Mapping[str, Any]) -> Iterator[str]:
    for column in layer["columns"].values():
        params = column.get("params", {})
        yield from (name for name in (column.get("sourceField"),) if name and name != _RECORDS)
        yield from params.get("secondaryFields", ())
        yield from kql_fields(column.get("filter", {}).get("query", ""))
        for only in params.get("filters", ()):
            yield from kql_fields(only["input"]["query"])


def _indices(spec: Any) -> Iterator[str]:
    if isinstance(spec, Mapping):
        yield from (value for key, value in spec.items() if key == "index" and isinstance(value, str))
        for inner in spec.values():
            yield from _indices(inner)
    elif isinstance(spec, list):
        for inner in spec:
            yield from _indices(inner)


def _fields_of_spec(text: str, schema: Schema) -> set[str]:
    """Return every word of a Vega specification that looks like one of our fields, by its first part."""
    roots = sorted({re.escape(name.split(".")[0]) for name in schema.fields if "." in name})
    words = re.compile(rf"(?<![\w.@])(?:@timestamp|(?:{'|'.join(roots)})\.[a-z0-9_.]*[a-z0-9_])(?![\w(])")
    return set(words.findall(text))


def _used_fields(item: SavedObject, schema: Schema) -> Iterator[tuple[str, str | None, set[str]]]:
    """Yield panel or control, the id of its data view (or its index), and the fields it uses."""
    views = {ref["name"]: ref["id"] for ref in item["references"]}
    for panel in json.loads(item["attributes"]["panelsJSON"]):
        key = panel["panelIndex"]
        for name, layer in layers_of(panel).items():
            yield key, views.get(f"{key}:indexpattern-datasource-layer-{name}"), set(_fields_of_layer(layer))
        spec = panel["embeddableConfig"].get("savedVis", {}).get("params", {}).get("spec")
        if spec:
            for index in _indices(json.loads(spec).get("data")):
                yield key, index, _fields_of_spec(spec, schema)
    for key, control in json.loads(item["attributes"]["controlGroupInput"]["panelsJSON"]).items():
        yield key, views.get(f"controlGroup_{key}:optionsListDataView"), {control["explicitInput"]["fieldName"]}


def unknown_fields(item: SavedObject, objects: Sequence[SavedObject], schema: Schema) -> Iterator[str]:
    """Yield a sentence for each field that a panel or control uses but its documents do not have."""
    titles = {
        candidate["id"]: candidate["attributes"]["title"]
        for candidate in objects
        if candidate["type"] == "index-pattern"
    }
    kinds = {index_pattern(kind): kind for kind in schema.kinds}
    for key, view, names in _used_fields(item, schema):
        kind = kinds.get(titles.get(view or "", view or ""))
        if kind is None:
            yield f"{key} asks {view}, which is no kind of document"
            continue
        for name in sorted(names - schema.of(kind).keys()):
            yield f"{key} asks for {name}, which no document of kind {kind} has"
