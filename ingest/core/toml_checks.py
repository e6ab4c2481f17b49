"""Reads TOML tables into frozen dataclasses: rejects unknown keys, wrong types and missing required keys.

Each error is a `Problem` (78) that names the file, the key and what would be right.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ingest.core.model import ExitCode, Problem

T = TypeVar("T")


class Checks:
    """Checks for one file; errors name the file, `where`, and the dotted key, `label`."""

    def __init__(self, where: Path) -> None:
        """Bind the file that errors name."""
        self.where = where

    def demand(self, holds: object, label: str, complaint: str) -> None:
        """Raise a `Problem` about a key unless the condition holds."""
        if not holds:
            raise Problem(f"{self.where}: `{label}` {complaint}.", "Correct it there.", ExitCode.CONFIG)

    def refuse_unknown(self, raw: Mapping[str, Any], known: Sequence[str], label: str) -> None:
        """Raise a `Problem` about the first unknown key, and suggest the nearest known one."""
        for key in raw:
            if key not in known:
                near = get_close_matches(key, known, n=1, cutoff=0.5)
                hint = f"Did you mean `{near[0]}`?" if near else f"Known here are: {', '.join(known)}."
                raise Problem(
                    f"{self.where}: unknown key `{f'{label}.{key}' if label else key}`.", hint, ExitCode.CONFIG
                )

    def refuse_double(self, names: Sequence[str], label: str) -> None:
        """Raise a `Problem` about a name that occurs twice."""
        for name in names:
            self.demand(names.count(name) == 1, label, f"`{name}` stands twice; each needs its own")

    def read(self, cls: Callable[..., T], raw: Mapping[str, Any], label: str) -> T:
        """Build a dataclass from its table."""
        declared = fields(cls)  # type: ignore[arg-type]
        hints = get_type_hints(cls)
        self.refuse_unknown(raw, [item.name for item in declared], label)
        for item in declared:
            required = item.default is MISSING and item.default_factory is MISSING
            self.demand(not required or item.name in raw, f"{label}.{item.name}", "is missing")
        return cls(**{key: self.converted(value, hints[key], f"{label}.{key}") for key, value in raw.items()})

    def converted(self, value: object, kind: Any, label: str) -> Any:
        """Convert a value to the type of its field; a string may stand for a list of one, and an int for a float."""
        if get_origin(kind) is UnionType:
            if value is None:
                return None
            kind = get_args(kind)[0]
        if get_origin(kind) is tuple:
            return self.strings(value, label)
        if kind is float and type(value) is int:
            return float(value)
        self.demand(type(value) is kind, label, f"must be of type {kind.__name__}, not {type(value).__name__}")
        return value

    def strings(self, value: object, label: str) -> tuple[str, ...]:
        """Return a list of strings; a single string becomes a list of one."""
        strings = [value] if isinstance(value, str) else value
        if isinstance(strings, list) and all(isinstance(text, str) for text in strings):
            return tuple(strings)
        raise Problem(f"{self.where}: `{label}` must be a list of strings.", "Correct it there.", ExitCode.CONFIG)

    def table(self, tree: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return a table of the tree; empty if it is missing."""
        table = tree.get(name, {})
        self.demand(isinstance(table, dict), name, f"must be a table: [{name}]")
        return dict(table)

    def named_tables(self, tree: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
        """Return the tables [name.NAME] of the tree."""
        tables = self.table(tree, name)
        self.demand(all(isinstance(body, dict) for body in tables.values()), name, f"must hold tables: [{name}.NAME]")
        return tables

    def listed_tables(self, tree: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
        """Return the tables [[name]] of the tree."""
        tables = tree.get(name, [])
        fits = isinstance(tables, list) and all(isinstance(raw, dict) for raw in tables)
        self.demand(fits, name, f"must be written as [[{name}]], once for each")
        return list(tables)
