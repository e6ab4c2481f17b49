"""TOML tables -> frozen dataclasses: every key known, every type right, nothing required left out. Pure.

Each complaint is a `Problem` (78) that names the file, the key and what would be right.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ingest.core.model import Problem

T = TypeVar("T")


class Checks:
    """The checks of one file; `where` is its name in every complaint, `label` the dotted key that is meant."""

    def __init__(self, where: Path) -> None:
        """Checks that speak of this file."""
        self.where = where

    def demand(self, holds: object, label: str, complaint: str) -> None:
        """Complain about a key unless something holds."""
        if not holds:
            raise Problem(f"{self.where}: `{label}` {complaint}.", "Correct it there.", 78)

    def refuse_unknown(self, raw: Mapping[str, Any], known: Sequence[str], label: str) -> None:
        """Complain about the first key that is not known, and tell the nearest one that is."""
        for key in raw:
            if key not in known:
                near = get_close_matches(key, known, n=1, cutoff=0.5)
                hint = f"Did you mean `{near[0]}`?" if near else f"Known here are: {', '.join(known)}."
                raise Problem(f"{self.where}: unknown key `{f'{label}.{key}' if label else key}`.", hint, 78)

    def refuse_double(self, names: Sequence[str], label: str) -> None:
        """Complain about a name that stands twice."""
        for name in names:
            self.demand(names.count(name) == 1, label, f"`{name}` stands twice; each needs its own")

    def read(self, cls: Callable[..., T], raw: Mapping[str, Any], label: str) -> T:
        """A dataclass from its table."""
        known = fields(cls)  # type: ignore[arg-type]
        hints = get_type_hints(cls)
        self.refuse_unknown(raw, [each.name for each in known], label)
        for each in known:
            required = each.default is MISSING and each.default_factory is MISSING
            self.demand(not required or each.name in raw, f"{label}.{each.name}", "is missing")
        return cls(**{key: self.converted(value, hints[key], f"{label}.{key}") for key, value in raw.items()})

    def converted(self, value: object, kind: Any, label: str) -> Any:
        """A value of the type that a field declares; one string is as good as a list of one, an int as a float."""
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
        """A list of strings, or one."""
        many = [value] if isinstance(value, str) else value
        if isinstance(many, list) and all(isinstance(one, str) for one in many):
            return tuple(many)
        raise Problem(f"{self.where}: `{label}` must be a list of strings.", "Correct it there.", 78)

    def table(self, tree: Mapping[str, Any], name: str) -> dict[str, Any]:
        """A table of the tree, empty when it is not there."""
        found = tree.get(name, {})
        self.demand(isinstance(found, dict), name, f"must be a table: [{name}]")
        return dict(found)

    def named_tables(self, tree: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
        """The tables [name.NAME] of the tree."""
        found = self.table(tree, name)
        self.demand(all(isinstance(body, dict) for body in found.values()), name, f"must hold tables: [{name}.NAME]")
        return found

    def listed_tables(self, tree: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
        """The tables [[name]] of the tree."""
        found = tree.get(name, [])
        fits = isinstance(found, list) and all(isinstance(raw, dict) for raw in found)
        self.demand(fits, name, f"must be written as [[{name}]], once for each")
        return list(found)
