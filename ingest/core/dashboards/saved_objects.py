"""Kibana's saved objects: their envelope, ids and versions, and the data views made from fields.toml.

The format is that of Kibana 8.9: every later version reads it, an older one refuses the whole file.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from ingest.core.fields import Kind, Schema
from ingest.core.ids import index_pattern

SavedObject = dict[str, Any]
Reference = dict[str, str]

OLDEST_KIBANA = (8, 9)
_NAMESPACE = uuid5(NAMESPACE_URL, "perflog:saved-objects")
# Without a version Kibana runs every migration since 6.0; with one that is too new it refuses the file.
_TYPE_VERSION = {"index-pattern": "8.0.0", "dashboard": "8.9.0"}
_CORE_VERSION = "8.8.0"


def _duration(read_as: str, show_as: str, decimals: int) -> dict[str, Any]:
    params = {"inputFormat": read_as, "outputFormat": show_as, "outputPrecision": decimals}
    return {
        "id": "duration",
        "params": params | {"showSuffix": True, "useShortSuffix": True, "includeSpaceWithSuffix": True},
    }


_FIELD_FORMATS: Mapping[str, dict[str, Any]] = {
    "bit/s": {"id": "number", "params": {"pattern": "0,0.[00] bitd"}},
    "bytes": {"id": "bytes", "params": {"pattern": "0,0.[00] b"}},
    "1": {"id": "percent", "params": {"pattern": "0,0.[0000]%"}},
    "s": _duration("seconds", "asSeconds", 1),
    "ms": _duration("milliseconds", "asMilliseconds", 3),
    "ns": _duration("nanoseconds", "asSeconds", 1),
}


def text(value: Any) -> str:
    """Encode JSON in its shortest form: most of a saved object is JSON within a string."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def object_id(kind: str, key: str, space: str = "") -> str:
    """Return the stable id of a saved object; it differs between spaces, since ids are global in Kibana."""
    return str(uuid5(_NAMESPACE, "/".join(part for part in (space, kind, key) if part)))


def reference(name: str, kind: str, key: str, space: str = "") -> Reference:
    """Return a reference to another object: content names it by `name`, and the list beside it holds the id."""
    return {"name": name, "type": kind, "id": object_id(kind, key, space)}


def saved_object(
    kind: str, key: str, space: str, attributes: dict[str, Any], references: Iterable[Reference]
) -> SavedObject:
    """Build one line of an import file."""
    return {
        "id": object_id(kind, key, space),
        "type": kind,
        "attributes": attributes,
        "references": list(references),
        "coreMigrationVersion": _CORE_VERSION,
        "typeMigrationVersion": _TYPE_VERSION[kind],
    }


def _data_view(kind: Kind, schema: Schema, space: str) -> SavedObject:
    units = {field.name: field.unit for field in schema.of(kind.name).values() if field.unit in _FIELD_FORMATS}
    attributes = {
        "title": index_pattern(kind.name),
        "name": f"perflog {kind.name}",
        "timeFieldName": "@timestamp",
        "allowNoIndex": True,
        "fields": "[]",
        "sourceFilters": "[]",
        "typeMeta": "{}",
        "fieldAttrs": "{}",
        "runtimeFieldMap": "{}",
        "fieldFormatMap": text({name: _FIELD_FORMATS[unit] for name, unit in units.items() if unit}),
    }
    return saved_object("index-pattern", kind.name, space, attributes, ())


def data_views(schema: Schema, space: str = "") -> list[SavedObject]:
    """Return one data view for each kind that people read: all but perflog's own state."""
    return [_data_view(kind, schema, space) for kind in schema.kinds.values() if kind.write != "cas"]


def ndjson(objects: Iterable[SavedObject]) -> bytes:
    """Encode the import file: one object per line, UTF-8."""
    return "".join(f"{text(item)}\n" for item in objects).encode()
