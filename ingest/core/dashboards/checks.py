"""Checks compiled boards for errors that Kibana imports silently and then shows as an empty panel.

Takes compiled saved objects and the list of fields, returns sentences about what is wrong.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from ingest.core.dashboards.panel_fields import layers_of, unknown_fields
from ingest.core.dashboards.saved_objects import SavedObject, ndjson
from ingest.core.fields import Schema
from ingest.core.model import ExitCode, Problem

COLUMNS = 48
MOST_BYTES = 25 * 1024 * 1024


def check(objects: Sequence[SavedObject], schema: Schema, most_bytes: int = MOST_BYTES) -> None:
    """Raise `Problem` (65) listing every error in the objects of one import file."""
    problems = [*_ids(objects), *_size(objects, most_bytes)]
    for item in objects:
        broken = list(_broken_json(item["attributes"], item["type"]))
        problems += broken or _of_one(item, objects, schema)
    if problems:
        raise Problem(
            f"The boards are not fit for Kibana: {'; '.join(problems)}.",
            "Correct them under dashboards/.",
            ExitCode.BAD_DATA,
        )


def _of_one(item: SavedObject, objects: Sequence[SavedObject], schema: Schema) -> Iterator[str]:
    if item["type"] == "dashboard":
        name = item["attributes"]["title"]
        panels = json.loads(item["attributes"]["panelsJSON"])
        controls = json.loads(item["attributes"]["controlGroupInput"]["panelsJSON"])
        for sentence in (
            *_places(panels),
            *_references(item, panels, controls, objects),
            *(sentence for panel in panels for sentence in _accessors(panel)),
            *unknown_fields(item, objects, schema),
        ):
            yield f"{name}: {sentence}"


def _ids(objects: Sequence[SavedObject]) -> Iterator[str]:
    for (kind, identity), times in Counter((item["type"], item["id"]) for item in objects).items():
        if times > 1:
            yield f"{kind} {identity} stands {times} times in the file"


def _size(objects: Sequence[SavedObject], most_bytes: int) -> Iterator[str]:
    size_bytes = len(ndjson(objects))
    if size_bytes > most_bytes:
        yield f"the file has {size_bytes} bytes, Kibana takes {most_bytes}"


def _broken_json(value: Any, where: str) -> Iterator[str]:
    """Yield strings that should be JSON by their key, or are Vega specifications (Kibana's HJSON), but are not."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, str) and (key.endswith("JSON") or key in ("fieldFormatMap", "spec")):
                try:
                    yield from _broken_json(json.loads(inner), f"{where}.{key}")
                except ValueError as error:
                    yield f"{where}.{key} is not JSON: {error}"
            else:
                yield from _broken_json(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _broken_json(inner, where)


def _places(panels: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for key, times in Counter(panel["panelIndex"] for panel in panels).items():
        if times > 1:
            yield f"panel {key} stands {times} times"
    for panel in panels:
        key, grid = panel["panelIndex"], panel["gridData"]
        if grid["i"] != key:
            yield f"panel {key} calls itself {grid['i']} in its grid"
        if min(grid["x"], grid["y"]) < 0 or min(grid["w"], grid["h"]) < 1 or grid["x"] + grid["w"] > COLUMNS:
            yield f"panel {key} leaves the {COLUMNS} columns"
    for one, other in combinations(panels, 2):
        if _overlap(one["gridData"], other["gridData"]):
            yield f"panels {one['panelIndex']} and {other['panelIndex']} overlap"


def _overlap(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    left_or_right = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (left_or_right or above)


def _names_used(panels: Iterable[Mapping[str, Any]], controls: Mapping[str, Any]) -> Iterator[str]:
    for panel in panels:
        for layer in layers_of(panel):
            yield f"{panel['panelIndex']}:indexpattern-datasource-layer-{layer}"
    for key in controls:
        yield f"controlGroup_{key}:optionsListDataView"


def _references(
    item: SavedObject,
    panels: Sequence[Mapping[str, Any]],
    controls: Mapping[str, Any],
    objects: Sequence[SavedObject],
) -> Iterator[str]:
    existing = {(ref["type"], ref["id"]) for ref in objects}
    listed = Counter(ref["name"] for ref in item["references"])
    used = set(_names_used(panels, controls))
    yield from (f"reference {name} stands {times} times" for name, times in listed.items() if times > 1)
    yield from (f"reference {name} is used but not listed" for name in sorted(used - listed.keys()))
    yield from (f"reference {name} is listed but not used" for name in sorted(listed.keys() - used))
    for ref in item["references"]:
        if (ref["type"], ref["id"]) not in existing:
            yield f"reference {ref['name']} names {ref['type']} {ref['id']}, which is not in the file"
    for panel in panels:
        inner = panel["embeddableConfig"].get("attributes", {}).get("references", [])
        for ref in inner:
            if {**ref, "name": f"{panel['panelIndex']}:{ref['name']}"} not in item["references"]:
                yield f"panel {panel['panelIndex']} has a reference {ref['name']} of its own"


def _pointed_at(state: Any) -> Iterator[str]:
    """Yield every column that a visualization's state refers to."""
    if isinstance(state, Mapping):
        for key, inner in state.items():
            if key == "accessors":
                yield from inner
            elif isinstance(inner, str) and (key.endswith("Accessor") or key == "columnId"):
                yield inner
            else:
                yield from _pointed_at(inner)
    elif isinstance(state, list):
        for inner in state:
            yield from _pointed_at(inner)


def _accessors(panel: Mapping[str, Any]) -> Iterator[str]:
    key = panel["panelIndex"]
    known: set[str] = set()
    for layer in layers_of(panel).values():
        known |= layer["columns"].keys()
        if sorted(layer["columnOrder"]) != sorted(layer["columns"]):
            yield f"panel {key}: columnOrder {layer['columnOrder']} is not its columns {list(layer['columns'])}"
    if known:
        state = panel["embeddableConfig"]["attributes"]["state"]["visualization"]
        for name in sorted({*_pointed_at(state)} | {*_pointed_at(list(layers_of(panel).values()))}):
            if name not in known:
                yield f"panel {key}: there is no column {name}"
