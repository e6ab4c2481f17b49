"""Loads the schema from grammars/fields.toml, the only list of fields: kinds, types and Elasticsearch mappings."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.core.ids import index_name, is_kind
from ingest.core.model import ExitCode, Problem
from ingest.core.timestamps import MS_PER_DAY

_TYPES: Mapping[str, dict[str, Any]] = {
    "keyword": {"type": "keyword", "ignore_above": 1024},
    "text": {"type": "text"},
    "date": {"type": "date"},
    "long": {"type": "long"},
    "double": {"type": "double"},
    "boolean": {"type": "boolean"},
    "ip": {"type": "ip"},
    "flattened": {"type": "flattened", "ignore_above": 1024, "depth_limit": 20},
    "object": {"type": "object", "enabled": False},
    "bytes": {"type": "keyword", "index": False, "doc_values": False},
}
_PERIODS = {"month", "year", "none"}
_WRITES = {"external", "create", "cas"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of document.

    Attributes:
        one: what one document is.
        period: the period of an index: `month`, `year` or `none`.
        write: with an `external` version, by `create` (never changed), or by compare-and-swap (`cas`).
    """

    name: str
    one: str
    period: str
    write: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its kinds, its unit (also in the name), and whether it is provenance (describes the first copy only).

    A field that is not `searched` has doc values only: it is displayed, sorted and aggregated at full speed, and a
    search scans it. Each index structure left out saves Elasticsearch processor time, which limits the indexing rate.
    """

    name: str
    type: str
    kinds: tuple[str, ...]
    doc: str
    unit: str | None = None
    provenance: bool = False
    array: bool = False
    searched: bool = True


@dataclass(frozen=True, slots=True)
class Schema:
    """All kinds and fields, the meaning of each flag, and the version that templates and workers must share."""

    version: int
    kinds: Mapping[str, Kind]
    fields: Mapping[str, Field]
    flags: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: str) -> dict[str, Field]:
        """Return the fields of a kind, by name."""
        return {name: field for name, field in self.fields.items() if kind in field.kinds}

    def index(self, kind: str, facility: str, at_ms: int = 0) -> str:
        """Return the index of a document: of its kind, its facility and the period of `at_ms` in UTC.

        `at_ms` is the time of what the document stands for; documents that stand for no time are given none.
        """
        return index_name(kind, facility, self.kinds[kind].period, at_ms // MS_PER_DAY)

    def mappings(self, kind: str) -> dict[str, Any]:
        """Return the strict mapping of a kind; dotted names become objects, which are strict too."""
        root: dict[str, Any] = {"dynamic": "strict", "_meta": {"schema_version": self.version}, "properties": {}}
        for name, spec in self.of(kind).items():
            *parents, leaf = name.split(".")
            level = root
            for parent in parents:
                level = level["properties"].setdefault(parent, {"dynamic": "strict", "properties": {}})
            level["properties"][leaf] = _TYPES[spec.type] | ({} if spec.searched else {"index": False})
        return root


def _load_field(entry: dict[str, Any], kinds: Mapping[str, Kind]) -> Field:
    try:
        field_kinds = tuple(kinds) if entry["kinds"] == ["*"] else tuple(entry["kinds"])
        field = Field(**{**entry, "kinds": field_kinds})
    except (KeyError, TypeError) as error:
        raise Problem(
            f"fields.toml: field {entry.get('name', entry)}: {error}.",
            "See the comment at the top of the file.",
            ExitCode.CONFIG,
        ) from error
    wrong = [k for k in field_kinds if k not in kinds] or ([field.type] if field.type not in _TYPES else [])
    if wrong:
        raise Problem(
            f"fields.toml: field {field.name} names `{wrong[0]}`, which is not a kind or a type.", "", ExitCode.CONFIG
        )
    return field


def load_schema(path: Path) -> Schema:
    """Load and check fields.toml; raises `Problem` (78) that names the wrong entry."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Problem(f"{path}: {error}.", "perflog needs its list of fields.", ExitCode.CONFIG) from error
    kinds = {name: Kind(name, **body) for name, body in tree["kind"].items()}
    for kind in kinds.values():
        if not is_kind(kind.name):
            raise Problem(
                f"fields.toml: `{kind.name}` cannot name a kind.", "Use lower-case letters only.", ExitCode.CONFIG
            )
        if kind.period not in _PERIODS or kind.write not in _WRITES:
            raise Problem(f"fields.toml: kind {kind.name} has an unknown period or write mode.", "", ExitCode.CONFIG)
    fields = [_load_field(entry, kinds) for entry in tree["field"]]
    by_name = {field.name: field for field in fields}
    if len(by_name) != len(fields):
        raise Problem("fields.toml lists a field twice.", "List each field once.", ExitCode.CONFIG)
    return Schema(tree["schema_version"], kinds, by_name, tree.get("flag", {}))


def without_provenance(body: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Return the part of a document that all copies of a fact share: without provenance fields and empty objects."""
    dropped = {field.name for field in schema.fields.values() if field.provenance}
    return _pruned(body, "", dropped)


def _pruned(body: Mapping[str, Any], prefix: str, dropped: set[str]) -> dict[str, Any]:
    pruned: dict[str, Any] = {}
    for key, value in body.items():
        name = prefix + key
        if name in dropped:
            continue
        shared = _pruned(value, f"{name}.", dropped) if isinstance(value, dict) else value
        if shared != {}:
            pruned[key] = shared
    return pruned
