"""The rules of `perflog lint`: data in grammars/lint.toml (all sources) and <source>/lint.toml (its own).

Reads only those files. Every fault in them is a `Problem` (78) that names file and rule.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.core.fields import Schema
from ingest.core.lookup import lookup
from ingest.core.model import Document, ExitCode, ParsedMessage, Problem
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.source import Source

UNENDED, SHIFTED = "unended", "shifted"


@dataclass(frozen=True, slots=True)
class LintRule:
    """A kind of information that a line can lack: `condition` is one of CONDITIONS, `about` its argument."""

    name: str
    kinds: tuple[str, ...]
    condition: str
    about: tuple[tuple[str, str], ...]
    costs: str
    fix: str


def _missing(rule: LintRule, documents: Sequence[Document], record: ParsedMessage) -> bool:
    return any(lookup(document.body, name) is None for document in documents for name, _ in rule.about)


def _flag(rule: LintRule, documents: Sequence[Document], record: ParsedMessage) -> bool:
    return any(name in document.body["perf"].get("flags", ()) for document in documents for name, _ in rule.about)


def _equals(rule: LintRule, documents: Sequence[Document], record: ParsedMessage) -> bool:
    return any(lookup(document.body, name) == value for document in documents for name, value in rule.about)


def _token(rule: LintRule, documents: Sequence[Document], record: ParsedMessage) -> bool:
    return any(
        re.fullmatch(pattern, str(values.get(terminal)))
        for values in (record.values, *record.items)
        for terminal, pattern in rule.about
        if values.get(terminal) is not None
    )


def _no_token(rule: LintRule, documents: Sequence[Document], record: ParsedMessage) -> bool:
    return not _token(rule, documents, record)


CONDITIONS: Mapping[str, Callable[[LintRule, Sequence[Document], ParsedMessage], bool]] = {
    "missing": _missing,
    "flag": _flag,
    "equals": _equals,
    "token": _token,
    "no_token": _no_token,
    # Known only after all lines are read: see lint.py
    UNENDED: lambda rule, documents, record: False,
    SHIFTED: lambda rule, documents, record: False,
}


def load_rules(folder: Path, source: Source, schema: Schema) -> tuple[LintRule, ...]:
    """The rules that apply to a source: its own, and the general ones that it does not override."""
    own = source.folder / "lint.toml"
    rules = {rule.name: rule for path in (folder / "lint.toml", own) if path.exists() for rule in _rules(path)}
    applying = [rule for rule in rules.values() if source.kind in rule.kinds or rule.kinds == ("*",)]
    for rule in applying:
        _check(rule, source, schema)
    return tuple(applying)


def _check(rule: LintRule, source: Source, schema: Schema) -> None:
    terminals = source.reader.terminals if isinstance(source.reader, GrammarReader) else {}
    known: Mapping[str, Any] = {
        "missing": schema.of(source.kind),
        "equals": schema.of(source.kind),
        "flag": schema.flags,
        "token": terminals,
        "no_token": terminals,
    }.get(rule.condition, {})
    for name, _ in rule.about:
        if name not in known:
            fault = (
                f"Lint rule {rule.name} of {source.name} names `{name}`, which is not a field, flag or terminal of it."
            )
            raise Problem(fault, "The head of grammars/lint.toml says what a rule may name.", ExitCode.CONFIG)


def _rules(path: Path) -> Iterator[LintRule]:
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))["rule"]
        for row in rows:
            [condition] = CONDITIONS.keys() & row.keys()
            about = _about(row[condition])
            if "token" in condition:
                [re.compile(pattern) for _, pattern in about]
            yield LintRule(row["name"], tuple(row["kinds"]), condition, about, row["costs"], row["fix"])
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, re.error) as error:
        fault = f"{path.parent.name}/{path.name}: a rule cannot be used: {error!r}."
        raise Problem(fault, "The head of grammars/lint.toml says what a rule is made of.", ExitCode.CONFIG) from error


def _about(value: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(value, dict):
        return tuple(value.items())
    return () if value is True else ((str(value), ""),)
