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
from ingest.core.model import ExitCode, Problem
from ingest.edge.elasticsearch.client import client, raising_problems

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
            templates = self._client.indices.get_index_template(name="perf-*").body["index_templates"]
        except NotFoundError:
            return {}
        metas = {t["name"]: t["index_template"].get("_meta", {}) for t in templates}
        return {name.removeprefix("perf-"): int(meta.get("schema_version", 0)) for name, meta in metas.items()}

    def put(self, kind: str, schema: Schema) -> str:
        """Write the template of a kind; returns `created`, `changed` or `unchanged`."""
        wanted = self._body(kind, schema)
        before = self._stored(kind)
        if before is not None and _same(before, wanted):
            return "unchanged"
        self._client.indices.put_index_template(name=f"perf-{kind}", meta=wanted["_meta"], **_arguments(wanted))
        return "created" if before is None else "changed"

    def extend(self, kind: str, schema: Schema) -> dict[str, list[str]]:
        """Add the schema's new fields to the indices of a kind; returns index -> added fields, changed indices only.

        Raises `Problem` (65) if a field has another type in an index: mappings can only grow.
        """
        wanted = schema.mappings(kind)
        existing = self._client.indices.get_mapping(index=f"perf-{kind}-*", expand_wildcards=["open", "hidden"]).body
        added: dict[str, list[str]] = {}
        for index, current in existing.items():
            mapping = current["mappings"]
            new = sorted(set(leaves(wanted)) - set(leaves(mapping)))
            _refuse_changed(index, leaves(mapping), leaves(wanted))
            if new or mapping.get("_meta") != wanted["_meta"]:
                properties = _as_before(wanted, mapping)["properties"]
                self._client.indices.put_mapping(
                    index=index, properties=properties, meta=wanted["_meta"], dynamic="strict"
                )
                added[index] = new
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
            templates = self._client.indices.get_index_template(name=f"perf-{kind}").body["index_templates"]
        except NotFoundError:
            return None
        return dict(templates[0]["index_template"])

    def _body(self, kind: str, schema: Schema) -> dict[str, Any]:
        return {
            "index_patterns": [f"perf-{kind}-*"],
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


def _as_before(wanted: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wanted mapping, keeping existing fields as the index has them: their definition cannot change."""
    merged: dict[str, Any] = {}
    for name, body in wanted["properties"].items():
        existing = before.get("properties", {}).get(name)
        nested = "properties" in body and existing is not None
        merged[name] = _as_before(body, existing) if nested else (existing or body)
    return {**wanted, "properties": merged}


def _refuse_changed(index: str, before: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    for name, kind in wanted.items():
        if name in before and before[name] != kind:
            raise Problem(
                f"Index {index} has the field {name} as {before[name]}, the schema wants {kind}.",
                "A field never changes its type: give it a new name, or reindex into a new index.",
                ExitCode.BAD_DATA,
            )


def _same(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    ours = ("index_patterns", "priority", "allow_auto_create", "_meta")
    same_head = all(before.get(key) == wanted[key] for key in ours)
    old, new = before.get("template", {}), wanted["template"]
    return (
        same_head and old.get("settings") == new["settings"] and _typed(old.get("mappings")) == _typed(new["mappings"])
    )


def _typed(mapping: Mapping[str, Any] | None) -> Any:
    """Turn every scalar of a mapping into text: in places the server returns `false` as `"false"`."""
    if isinstance(mapping, Mapping):
        return {key: _typed(value) for key, value in mapping.items()}
    return str(mapping).lower()


def _arguments(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "_meta"}


@contextmanager
def open_templates(settings: Elasticsearch) -> Iterator[Templates]:
    """Open the templates of the cluster in the settings; `Problem` (69) if it does not answer, 77 if it denies."""
    connected = client(settings)
    with raising_problems(settings):
        try:
            connected.cluster.health()
            yield Templates(connected, settings)
        finally:
            connected.close()
