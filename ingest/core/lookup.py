"""Looks a value up at a dotted path."""

from collections.abc import Mapping
from typing import Any

_OBJECT = (dict, Mapping)  # nearly all are the former, which is told ten times as fast


def lookup(values: Any, path: str) -> Any:
    """The value at a dotted path through objects and (by number) arrays; None when any step is missing or null."""
    direct = values.get(path) if isinstance(values, _OBJECT) else None
    if direct is not None or "." not in path:
        return direct
    found = values
    for step in path.split("."):
        if isinstance(found, _OBJECT):
            found = found.get(step)
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found
