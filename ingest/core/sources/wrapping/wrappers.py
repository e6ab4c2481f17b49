"""Unwrap a forwarder's messages: the line as its file has it, and the origin that the forwarder reports.

All later steps see only the line: its identity, event.original and the columns of its rejects equal those of the same
line shipped bare. The wrapper itself survives in Kafka: in the intake topic, and for a reject in the dead-letter topic.
Reads only wrappers.toml.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ingest.core.ids import fitting
from ingest.core.lookup import lookup
from ingest.core.model import ExitCode, Message, Problem, Provenance, Reject
from ingest.core.sources.readers import JsonReader, Mismatch, canonical

BARE = "none"
MAX_OFFSET = 2**63
_READER = JsonReader()


@dataclass(frozen=True, slots=True)
class Wrapper:
    """Where a forwarder's JSON has each value: dotted paths, of which the first one present counts.

    `forwarder` is its program and version, joined by a space.
    """

    name: str
    message: tuple[str, ...]
    host: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    offset: tuple[str, ...] = ()
    forwarder: tuple[str, ...] = ()
    generation: tuple[str, ...] = ()


def load_wrappers(file: Path) -> dict[str, Wrapper]:
    """Load the wrappers of a grammars folder, by name; empty if it has no such file. Raises `Problem` (78)."""
    try:
        tree = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return {name: Wrapper(name, **{key: _paths(key, table[key]) for key in table}) for name, table in tree.items()}
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        remedy = "Use the wrappers.toml that comes with perflog as a template."
        raise Problem(f"{file} cannot be used: {error}.", remedy, ExitCode.CONFIG) from error


def _paths(key: str, paths: Any) -> tuple[str, ...]:
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise TypeError(f"`{key}` is not a list of paths")
    return tuple(paths)


def chosen(name: str, wrappers: Mapping[str, Wrapper], intake: str) -> Wrapper | None:
    """The wrapper of that name; None for bare messages. `Problem` (78) lists the known names."""
    if name == BARE:
        return None
    if name not in wrappers:
        known = ", ".join([BARE, *sorted(wrappers)])
        raise Problem(
            f"Intake {intake} names wrapper `{name}`, which does not exist.",
            f"The wrappers are: {known}.",
            ExitCode.CONFIG,
        )
    return wrappers[name]


def unwrapped(message: Message, wrapper: Wrapper) -> Message | Reject:
    """Unwrap a message, with provenance from the wrapper, else from the headers; a Reject if it is not wrapped."""
    tree = _tree(message.data)
    if isinstance(tree, Mismatch):
        what = f"not as {wrapper.name} wraps a message: {tree.detail}"
        return Reject("wrapper", what, message.data, None, tree.line, tree.column, tree.expected)
    text = _first(tree, wrapper.message)
    data = _bytes(text) if isinstance(text, str) else None
    if data is None:
        what = f"not as {wrapper.name} wraps a message: no text under {' or '.join(wrapper.message)}"
        return Reject("wrapper", what, message.data, None, 1, 1, wrapper.message)
    return replace(message, data=data.removesuffix(b"\n"), provenance=_provenance(tree, wrapper, message.provenance))


def _tree(data: bytes) -> Mapping[str, Any] | Mismatch:
    record = _READER.read(canonical(data))
    if not isinstance(record, Mismatch):
        return record.values
    try:
        # Some forwarders pass undecodable bytes through: decode so that they can be restored.
        tree = json.loads(data.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return record
    return tree if isinstance(tree, dict) else record


def _first(tree: Mapping[str, Any], paths: Sequence[str]) -> Any:
    return next((value for path in paths if (value := lookup(tree, path)) is not None), None)


def _bytes(text: str) -> bytes | None:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None


def _provenance(tree: Mapping[str, Any], wrapper: Wrapper, headers: Provenance) -> Provenance:
    words = [word for path in wrapper.forwarder if (word := _text(lookup(tree, path)))]
    return replace(
        headers,
        host=_text(_first(tree, wrapper.host)) or headers.host,
        path=_text(_first(tree, wrapper.path)) or headers.path,
        offset_bytes=_number(_first(tree, wrapper.offset), headers.offset_bytes),
        forwarder=" ".join(words) or headers.forwarder or wrapper.name,
        generation=_text(_first(tree, wrapper.generation)) or headers.generation,
    )


def _text(value: Any) -> str | None:
    """Text cut to what an index accepts; None if it is not text."""
    return fitting(value.encode("utf-8", "replace").decode()) or None if isinstance(value, str) else None


def _number(value: Any, otherwise: int | None) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    return value if type(value) is int and 0 <= value < MAX_OFFSET else otherwise
