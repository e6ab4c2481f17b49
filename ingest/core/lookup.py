"""Looks up a value at a dotted path."""

from collections.abc import Mapping
from typing import Any

_OBJECT = (dict, Mapping)  # nearly all are dicts, and the check for dict is ten times as fast


def lookup(values: Any, path: str) -> Any:
    """Return the value at a dotted path through objects and arrays (by index); None if a step is missing or null."""
    direct = values.get(path) if isinstance(values, _OBJECT) else None
    if direct is not None or "." not in path:
        return direct
    value = values
    for step in path.split("."):
        if isinstance(value, _OBJECT):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value
