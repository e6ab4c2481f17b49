"""Trace which token, or which value of a JSON object, became which field, by changing one at a time.

A table row could be read off, a function could not. So each part is changed slightly, the record is interpreted again,
and the fields whose values differ are the ones that the part fills. This works for every source, whoever wrote its
functions.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ingest.core.decode.interpret import apply_table, events_of
from ingest.core.model import ParsedMessage
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.sources.grammar import GrammarReader

TRIES = 4
MOST_PARTS = 400
MOST_CHILDREN = 4
FLAG = "flag:"
STAMPED = ("perf.mark.logged", "perf.mark.emit_lag_s")


@dataclass(frozen=True, slots=True)
class InputPart:
    """A terminal, or a dotted path; `item` is the index in the repeated rule, if it is part of one."""

    name: str
    item: int | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """The fields that a part fills, as pairs of (event, field); `flag:NAME` for a flag.

    Attributes:
        fields: fields whose value changes with the part.
        decides: fields that are present or absent depending on the part; their value comes from elsewhere.
        checks: flags that another value would have raised.
    """

    fields: frozenset[tuple[int, str]] = frozenset()
    decides: frozenset[tuple[int, str]] = frozenset()
    checks: frozenset[str] = frozenset()


def interpreted(record: ParsedMessage, context: Context) -> list[EventBuilder | InvalidRecord]:
    """The record's events with their fields filled; the exception in place of an event that is rejected."""
    results: list[EventBuilder | InvalidRecord] = []
    for event in events_of(record, context.source):
        try:
            apply_table(event, context)
            results.append(event)
        except InvalidRecord as refusal:
            results.append(refusal)
    return results


def lineage(record: ParsedMessage, context: Context) -> dict[InputPart, Lineage]:
    """Part -> the fields it fills. For long lists and large objects, the first children stand for the whole."""
    before = interpreted(record, context)
    results = {part: _fed(before, new, context) for part, new in islice(_parts(record, context), MOST_PARTS)}
    for part, names in _stamped(record, context, before).items():
        results[part] = replace(results[part], fields=results[part].fields | names)
    fed = frozenset[tuple[int, str]]().union(*(one.fields for one in results.values()))
    return {
        part: replace(one, fields=one.fields | (one.decides - fed), decides=one.decides & fed)
        for part, one in results.items()
    }


def _stamped(
    record: ParsedMessage, context: Context, before: Sequence[EventBuilder | InvalidRecord]
) -> dict[InputPart, frozenset[tuple[int, str]]]:
    """Effects that a change may not reveal: of a printed time (an inferred zone follows it), of a fixed stage name."""
    source = context.source
    fed: dict[str, tuple[str, ...]] = {}
    if source.stamp:
        names = {terminal for part, terminal in source.stamp.parts.items() if part != "weekday"}
        fed = dict.fromkeys((*names, source.stamp.iso or ""), STAMPED)
    if source.stage_from:
        fed[source.stage_from] = ("perf.stage.name",)
    bodies = [(n, event.body) for n, event in enumerate(before) if isinstance(event, EventBuilder)]
    return {
        InputPart(name): frozenset((n, field) for n, body in bodies for field in fields if field in body)
        for name, fields in fed.items()
        if name in record.values and isinstance(source.reader, GrammarReader)
    }


def _fed(
    before: Sequence[EventBuilder | InvalidRecord], variants: Iterator[ParsedMessage], context: Context
) -> Lineage:
    effects: list[Lineage] = []
    for record in variants:
        try:
            after = interpreted(record, context)
        except Exception:  # noqa: S112 - a function may rely on the grammar: this change is no test
            continue
        if len(after) != len(before):
            continue  # the number of events differs: they cannot be matched
        both = [(n, *pair) for n, pair in enumerate(zip(before, after, strict=True))]
        changes = [
            _effect(n, old, new)
            for n, old, new in both
            if isinstance(old, EventBuilder) and isinstance(new, EventBuilder)
        ]
        effects += changes
        if len(effects) >= TRIES * len(before):
            break
    return Lineage(
        frozenset[tuple[int, str]]().union(*(effect.fields for effect in effects)),
        frozenset[tuple[int, str]]().union(*(effect.decides for effect in effects)),
        frozenset[str]().union(*(effect.checks for effect in effects)),
    )


def _effect(ordinal: int, old: EventBuilder, new: EventBuilder) -> Lineage:
    """The fields of one event that differ."""
    changed = {(ordinal, name) for name in old.body if name in new.body and old.body[name] != new.body[name]}
    changed |= {(ordinal, FLAG + name) for name in set(old.flags) - set(new.flags)}
    gone = {(ordinal, name) for name in old.body if name not in new.body}
    return Lineage(frozenset(changed), frozenset(gone), frozenset(new.flags) - frozenset(old.flags))


def _parts(record: ParsedMessage, context: Context) -> Iterator[tuple[InputPart, Iterator[ParsedMessage]]]:
    reader = context.source.reader
    if isinstance(reader, GrammarReader):
        yield from _tokens(record, reader.terminals)
        return
    for path in _leaves(record.values, ()):
        yield InputPart(".".join(str(step) for step in path)), _changed(record, path)


def _tokens(record: ParsedMessage, patterns: Mapping[str, str]) -> Iterator[tuple[InputPart, Iterator[ParsedMessage]]]:
    for name, text in record.values.items():
        texts = texts_like(text, patterns[name])
        yield InputPart(name), (replace(record, values={**record.values, name: other}) for other in texts)
    for number, item in enumerate(record.items):
        for name, text in item.items():
            yield InputPart(name, number), _items(record, number, name, texts_like(text, patterns[name]))


def _items(record: ParsedMessage, number: int, name: str, texts: Iterator[str]) -> Iterator[ParsedMessage]:
    for text in texts:
        items = list(record.items)
        items[number] = {**items[number], name: text}
        yield replace(record, items=tuple(items))


def texts_like(text: str, pattern: str) -> Iterator[str]:
    """Other texts that the terminal matches: a digit changed, a character less, a word of the pattern, a letter."""
    shape = re.compile(pattern)
    for other in dict.fromkeys(_edits(text, pattern)):
        if other != text and shape.fullmatch(other):
            yield other


def _edits(text: str, pattern: str) -> Iterator[str]:
    """Small changes, those most likely to keep the text's meaning first; only the ends of a long text."""
    back = range(len(text) - 1, max(len(text) - 40, 0) - 1, -1)
    front = range(min(len(text), 40))
    for at in back:
        if text[at].isdecimal():
            yield f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}"
    if "|" in pattern:
        yield from re.findall(r"[A-Za-z]+", pattern)
    for at in (at for both in zip(front, back, strict=True) for at in both):
        if text[at].isalpha():
            yield text[:at] + ("A" if text[at].upper() == "P" else "P" if text[at].isupper() else "q") + text[at + 1 :]
    yield from (text[:at] + text[at + 1 :] for at in back)


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Paths to the values of a JSON tree, collected iteratively: JSON may nest deeper than Python recurses."""
    todo: list[tuple[Any, tuple[str | int, ...]]] = [(value, path)]
    while todo:
        node, here = todo.pop()
        if isinstance(node, Mapping):
            inside = list(node.items()) if not _is_data(node) else list(node.items())[:MOST_CHILDREN]
            todo += [(child, (*here, name)) for name, child in reversed(inside)]
        elif isinstance(node, list):
            todo += [(child, (*here, number)) for number, child in reversed(list(enumerate(node[:MOST_CHILDREN])))]
        elif node is not None:
            yield here


def _is_data(node: Mapping[str, Any]) -> bool:
    """Whether an object's keys are values themselves, like those of a histogram."""
    return len(node) > MOST_CHILDREN and not any(key[:1].isalpha() for key in node)


def _changed(record: ParsedMessage, path: tuple[str | int, ...]) -> Iterator[ParsedMessage]:
    old: Any = record.values
    for step in path:
        old = old[step]
    for new in _values_like(old):
        yield replace(record, values=_with(record.values, path, new))


def _values_like(old: Any) -> Iterator[Any]:
    if isinstance(old, bool):
        yield not old
    elif isinstance(old, int | float):
        yield from (old + 1, old * 2 + 1, 0)
    else:
        yield from list(dict.fromkeys(_edits(str(old), "")))[:TRIES]
        yield f"{old}x"
        yield None


def _with(tree: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy of the tree, along the path, with another value at its end."""
    top = copy = _copy(tree)
    for step in path[:-1]:
        copy[step] = _copy(copy[step])
        copy = copy[step]
    copy[path[-1]] = value
    return top


def _copy(node: Any) -> Any:
    return dict(node) if isinstance(node, Mapping) else list(node)
