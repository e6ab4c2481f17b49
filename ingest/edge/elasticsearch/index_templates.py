"""Index templates and mappings: reads, writes and extends them, and probes the features of the cluster.

Templates use only features of a bare server, so that they work on the local stack and on a full distribution alike.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from elasticsearch import ApiError, NotFoundError
from elasticsearch import Elasticsearch as Client

from ingest.config.settings import Elasticsearch
from ingest.core.fields import Schema
from ingest.core.ids import index_pattern, kind_of_template, template_name
from ingest.core.model import ExitCode, Problem
from ingest.edge.elasticsearch.client import session

PRIORITY = 500  # above 200, which Elastic's own examples use, and above 100, which its built-in templates use
_ABSENT = (400, 404, 405)
_FEATURES: Mapping[str, tuple[str, str]] = {
    "lifecycle management": ("/_ilm/status", "old months have to be removed by hand"),
    "security": ("/_security/_authenticate", "whoever reaches the port may read and write everything"),
    "ingest processors": ("/_ingest/processor/grok", "none is used: documents are finished before they are sent"),
    "data streams": ("/_data_stream", "none is used: a fact must stay correctable"),
}


class Templates:
    """The cluster's index templates by kind of document, and the mappings of existing indices."""

    def __init__(self, connected: Client, settings: Elasticsearch) -> None:
        """Take an open client, and the settings for shards, replicas and refresh."""
        self._client = connected
        self._settings = settings

    def versions(self) -> dict[str, int]:
        """Return the schema version of each existing template, by kind."""
        try:
            templates = self._client.indices.get_index_template(name=template_name("*")).body["index_templates"]
        except NotFoundError:
            return {}
        metas = {template["name"]: template["index_template"].get("_meta", {}) for template in templates}
        return {kind_of_template(name): int(meta.get("schema_version", 0)) for name, meta in metas.items()}

    def put(self, kind: str, schema: Schema) -> str:
        """Write the template of a kind; returns `created`, `changed` or `unchanged`."""
        template = self._template(kind, schema)
        stored = self._stored(kind)
        if stored is not None and _same(stored, template):
            return "unchanged"
        arguments = {key: value for key, value in template.items() if key != "_meta"}
        self._client.indices.put_index_template(name=template_name(kind), meta=template["_meta"], **arguments)
        return "created" if stored is None else "changed"

    def extend(self, kind: str, schema: Schema) -> dict[str, list[str]]:
        """Add the schema's new fields to the indices of a kind; returns index -> added fields, changed indices only.

        Raises `Problem` (65) if a field has another type in an index: mappings can only grow.
        """
        mapping = schema.mappings(kind)
        existing = self._client.indices.get_mapping(index=index_pattern(kind), expand_wildcards=["open", "hidden"]).body
        added: dict[str, list[str]] = {}
        for index, body in existing.items():
            stored = body["mappings"]
            new_fields = sorted(set(leaves(mapping)) - set(leaves(stored)))
            _refuse_changed(index, leaves(stored), leaves(mapping))
            if new_fields or stored.get("_meta") != mapping["_meta"]:
                properties = _extended(stored, mapping)["properties"]
                self._client.indices.put_mapping(
                    index=index, properties=properties, meta=mapping["_meta"], dynamic="strict"
                )
                added[index] = new_fields
        return added

    def features(self) -> dict[str, tuple[bool, str]]:
        """Return feature -> (whether this cluster offers it, what follows if it does not)."""
        return {name: (self._offers(path), without) for name, (path, without) in _FEATURES.items()}

    def _offers(self, path: str) -> bool:
        try:
            self._client.perform_request("GET", path, headers={"accept": "application/json"})
        except ApiError as error:
            return error.status_code not in _ABSENT
        return True

    def _stored(self, kind: str) -> dict[str, Any] | None:
        try:
            templates = self._client.indices.get_index_template(name=template_name(kind)).body["index_templates"]
        except NotFoundError:
            return None
        return dict(templates[0]["index_template"])

    def _template(self, kind: str, schema: Schema) -> dict[str, Any]:
        return {
            "index_patterns": [index_pattern(kind)],
            "priority": PRIORITY,
            "allow_auto_create": True,
            "_meta": {"schema_version": schema.version, "managed_by": "perflog"},
            "template": {
                "settings": {
                    "index": {
                        "number_of_shards": str(self._settings.shards),
                        "auto_expand_replicas": self._settings.replicas,
                        "refresh_interval": self._settings.refresh_interval,
                    }
                },
                "mappings": schema.mappings(kind),
            },
        }


def leaves(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Map each dotted field name of a mapping body to its type."""
    types: dict[str, str] = {}
    for name, body in mapping.get("properties", {}).items():
        if "properties" in body:
            types |= leaves(body, f"{prefix}{name}.")
        else:
            types[prefix + name] = body.get("type", "object")
    return types


def _extended(stored: Mapping[str, Any], mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mapping, keeping existing fields as the index has them: their definition cannot change."""
    merged: dict[str, Any] = {}
    for name, body in mapping["properties"].items():
        existing = stored.get("properties", {}).get(name)
        nested = "properties" in body and existing is not None
        merged[name] = _extended(existing, body) if nested else (existing or body)
    return {**mapping, "properties": merged}


def _refuse_changed(index: str, stored_types: Mapping[str, str], types: Mapping[str, str]) -> None:
    for name, type_ in types.items():
        if name in stored_types and stored_types[name] != type_:
            raise Problem(
                f"Index {index} has the field {name} as {stored_types[name]}, the schema wants {type_}.",
                "A field never changes its type: give it a new name, or reindex into a new index.",
                ExitCode.BAD_DATA,
            )


def _same(stored: Mapping[str, Any], template: Mapping[str, Any]) -> bool:
    head = ("index_patterns", "priority", "allow_auto_create", "_meta")
    old, new = stored.get("template", {}), template["template"]
    return (
        all(stored.get(key) == template[key] for key in head)
        and old.get("settings") == new["settings"]
        and _typed(old.get("mappings")) == _typed(new["mappings"])
    )


def _typed(mapping: Mapping[str, Any] | None) -> Any:
    """Turn every scalar of a mapping into text: in places the server returns `false` as `"false"`."""
    if isinstance(mapping, Mapping):
        return {key: _typed(value) for key, value in mapping.items()}
    return str(mapping).lower()


@contextmanager
def open_templates(settings: Elasticsearch) -> Iterator[Templates]:
    """Open the templates of the cluster in the settings; `Problem` (69) if it does not answer, 77 if it denies."""
    with session(settings) as connected:
        connected.cluster.health()
        yield Templates(connected, settings)
