"""Compile a regular grammar into one anchored expression, from the same rules that Lark reads.

Lark's LALR parser reads some twenty thousand lines a second, a compiled expression a million. Each terminal and each
iteration of a loop becomes an atomic group: a lexer never gives back what it matched, nor does LALR what it reduced.
Alternatives keep their order. A group in a loop remembers only its last iteration, so a repeated rule is read by a
second, anchored scan. A recursive rule is not regular: it raises `NotRegular`, and Lark parses instead. Rules are trees
with `.data` and `.children`; this module does not import lark.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MAX_DEPTH = 40
FIRST_MATCHES, MATCHES_AT_ONCE = 2, 16


class NotRegular(Exception):
    """The grammar has no single expression; the message names the rule."""


class Captured(NamedTuple):
    """The terminals of a text, those of each match of the repeated part, and the span of each match."""

    values: dict[str, str]
    items: list[dict[str, str]]
    spans: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Compiled:
    """The expression of a grammar.

    Attributes:
        line: matches a whole text.
        names: (group number, terminal) of `line`, in order.
        items: group number of the repeated part; 0 if there is none.
        step: matches the repeated part once.
        step_names: (group number, terminal) of `step`.
        reach: matches the beginning of a text, including all matches of the repeated part.
        first, many: match the repeated part a few times (at the start) and many times (to skip a long text quickly).
    """

    line: re.Pattern[str]
    names: tuple[tuple[int, str], ...]
    items: int
    step: re.Pattern[str] | None
    step_names: tuple[tuple[int, str], ...]
    reach: re.Pattern[str] | None = None
    first: re.Pattern[str] | None = None
    many: re.Pattern[str] | None = None

    def middle(self, text: str) -> tuple[int, int] | None:
        """The span of repeated matches that a parser can skip; None if there are only a few.

        After two matches a parser is in the same state as after any larger number of them.
        """
        reached = self.reach.match(text) if self.reach else None
        if reached is None or reached[self.items] is None or self.first is None or self.many is None:
            return None
        begin = self.first.match(text, reached.start(self.items))
        if begin is None:
            return None
        start = last = at = begin.end()
        while (skipped := self.many.match(text, at)) is not None:
            last, at = at, skipped.end()
        return (start, last) if last > start else None

    def locate(self, text: str, terminal: str, value: str) -> int | None:
        """Where the first `terminal` with text `wanted` begins; None if there is none."""
        match = self.line.fullmatch(text)
        if match is None:
            return None
        for group, name in self.names:
            if name == terminal and match[group] == value:
                return match.start(group)
        groups = [group for group, name in self.step_names if name == terminal]
        at, end = match.span(self.items) if self.step and groups and match[self.items] else (0, 0)
        while at < end and self.step and (item_match := self.step.match(text, at, end)) and item_match.end() > at:
            for group in groups:
                if item_match[group] == value:
                    return item_match.start(group)
            at = item_match.end()
        return None

    def read(self, text: str) -> "Captured | None":
        """The terminals of a text, and of each match of its repeated part; None if the text does not match."""
        match = self.line.fullmatch(text)
        if match is None:
            return None
        values = {name: captured for group, name in self.names if (captured := match[group]) is not None}
        if self.step is None or match[self.items] is None:
            return Captured(values, [], [])
        at, end = match.span(self.items)
        items, spans = [], []
        while at < end:
            item_match = self.step.match(text, at, end)
            if item_match is None or item_match.end() == at:
                return None  # the matches do not join up one by one: let Lark decide
            items.append(
                {name: captured for group, name in self.step_names if (captured := item_match[group]) is not None}
            )
            spans.append((at, item_match.end()))
            at = item_match.end()
        return Captured(values, items, spans)


@dataclass(slots=True)
class _Writer:
    """Writes one expression and numbers its groups."""

    rules: Mapping[str, Any]
    terminals: Mapping[str, str]
    repeat: str | None = None
    capture: bool = True
    groups: int = 0
    names: list[tuple[int, str]] = field(default_factory=list)
    items: int = 0
    step: Any = None
    outside: bool = False
    span: str | None = None
    only: Sequence[str] | None = None
    once: bool = False

    def write(self, node: Any, depth: int = 0) -> str:
        """The expression of a rule's node."""
        if depth > MAX_DEPTH:
            raise NotRegular("its rules call each other without end")
        parts = node.children
        match node.data:
            case "expansions":
                return self._either([self.write(part, depth + 1) for part in parts])
            case "expansion":
                return "".join(self.write(part, depth + 1) for part in parts)
            case "alias":
                return self.write(parts[0], depth + 1)
            case "maybe":
                return self._maybe(parts[0], depth + 1)
            case "expr":
                return self._loop(parts, depth + 1)
            case "value":
                return self._symbol(parts[0], depth + 1)
        raise NotRegular(f"it contains {node.data}, which has no expression")

    @staticmethod
    def _either(choices: Sequence[str]) -> str:
        return choices[0] if len(choices) == 1 else f"(?:{'|'.join(choices)})"

    def _symbol(self, symbol: Any, depth: int) -> str:
        name = str(getattr(symbol, "name", symbol))
        if name in self.rules:
            self.outside = self.outside or (name == self.repeat and self.capture)
            return self._whole(name, depth) if name == self.span else self.write(self.rules[name], depth)
        if name not in self.terminals:
            raise NotRegular(f"`{name}` is neither a rule nor a named terminal")
        pattern = f"(?>{self.terminals[name]})"
        if not self.capture or name.startswith("_") or (self.only is not None and name not in self.only):
            return pattern
        self.groups += 1
        self.names.append((self.groups, name))
        return f"({pattern})"

    def _maybe(self, node: Any, depth: int) -> str:
        """An optional part; required if the repeated part is to match once and it contains a captured terminal."""
        before = len(self.names)
        inner = self.write(node, depth)
        return inner if self.once and len(self.names) > before else f"(?:{inner})?"

    def _whole(self, name: str, depth: int) -> str:
        """Capture a rule as one group, without capturing its terminals."""
        self.groups += 1
        self.names.append((self.groups, name))
        self.capture = False
        inner = self.write(self.rules[name], depth)
        self.capture = True
        return f"({inner})"

    def _loop(self, parts: Sequence[Any], depth: int) -> str:
        body, sign, *most = parts
        sign = str(sign) if str(sign) in {"?", "*", "+"} else "{" + ",".join(str(n) for n in (sign, *most)) + "}"
        if sign == "?" or not self.capture:
            return f"(?:{self.write(body, depth)}){sign}"
        repeats = self.repeat is not None and self.repeat in _called(body, self.rules)
        if repeats and self.once:
            self.step = body
            return self.write(body, depth)
        if repeats:
            self.groups += 1
            self.items, self.step = self.groups, body
        self.capture = False
        inner = f"(?>{self.write(body, depth)}){sign}"  # no backtracking into a match: that could be 2^n ways
        self.capture = True
        return f"({inner})" if repeats else inner


def _called(node: Any, rules: Mapping[str, Any]) -> set[str]:
    """Every rule that a node refers to, directly or through other rules."""
    names: set[str] = set()
    todo = [node]
    while todo:
        current = todo.pop()
        if not hasattr(current, "children"):
            name = str(getattr(current, "name", current))
            if name in rules and name not in names:
                names.add(name)
                todo.append(rules[name])
        else:
            todo.extend(current.children)
    return names


def compile_grammar(rules: Mapping[str, Any], terminals: Mapping[str, str], start: str, repeat: str | None) -> Compiled:
    """Compile `start`; each match of rule `repeat` is its own document. Raises NotRegular."""
    writer = _Writer(rules, terminals, repeat)
    line = re.compile(writer.write(rules[start]))
    if repeat and writer.outside:
        raise NotRegular(f"rule {repeat} also appears outside its loop")
    if writer.step is None:
        return Compiled(line, tuple(writer.names), 0, None, ())
    step_writer = _Writer(rules, terminals)
    step = re.compile(step_writer.write(writer.step))
    once = _Writer(rules, terminals, capture=False).write(writer.step)
    first, many = (re.compile(f"(?>{once}){{{count}}}") for count in (FIRST_MATCHES, MATCHES_AT_ONCE))
    reach = re.compile(_prefix(line.pattern, writer.items))
    return Compiled(line, tuple(writer.names), writer.items, step, tuple(step_writer.names), reach, first, many)


@dataclass(frozen=True, slots=True)
class PlainText:
    """The expressions of texts that contain a leading rule, then two moving terminals, once each.

    Attributes:
        head: matches the leading rule and the separator after it; its group 1 is the rule.
        clock: matches the leading rule alone; its only group that takes part is the terminal `clock`, if it has one.
        rest: matches the remainder; its groups are the text before the first moving terminal, that terminal, the text
            before the second, the second.
    """

    head: re.Pattern[str]
    clock: re.Pattern[str]
    rest: re.Pattern[str]


def compile_plain(
    rules: Mapping[str, Any], terminals: Mapping[str, str], repeat: str, lead: tuple[str, str], moving: Sequence[str]
) -> PlainText:
    """The expressions of texts that match `repeat` once; `lead` = (rule, its clock). Raises NotRegular."""
    span, clock = lead
    writer = _Writer(rules, terminals, repeat, span=span, only=moving, once=True)
    whole = writer.write(rules["start"])
    if writer.step is None or [name for _, name in writer.names] != [span, *moving]:
        raise NotRegular("its moving parts do not appear once each, in this order")
    groups = _outer_groups(whole)
    captures = [(start, end) for start, end in groups if whole[start + 1] != "?"]
    if len(captures) != len(writer.names) or captures[0][0] != 0:
        raise NotRegular("a moving part of it is optional, or something precedes its stamp")
    after_head = next(end for start, end in groups if start >= captures[0][1])
    (first, first_end), (second, second_end) = captures[1], captures[2]
    between = (whole[after_head:first], whole[first:first_end], whole[first_end:second], whole[second:second_end])
    if re.fullmatch(whole[second_end:], "") is None:
        raise NotRegular("something must follow its last moving part")
    rest = "({}){}({}){}".format(*between)
    clock_writer = _Writer(rules, terminals, only=(clock,))
    return PlainText(re.compile(whole[:after_head]), re.compile(clock_writer.write(rules[span])), re.compile(rest))


def _outer_groups(pattern: str) -> list[tuple[int, int]]:
    """The spans of the groups that are not inside another group."""
    groups, depth, start, position = [], 0, 0, 0
    while position < len(pattern):
        char = pattern[position]
        if char == "[":
            position = _class_end(pattern, position)
            continue
        if char == "(":
            start = position if depth == 0 else start
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                groups.append((start, position + 1))
        position += 2 if char == "\\" else 1
    return groups


def compile_head(rules: Mapping[str, Any], terminals: Mapping[str, str], start: str, last: str) -> re.Pattern[str]:
    """The expression of the beginning of a text, up to and including terminal `last`; it identifies torn lines."""
    writer = _Writer(rules, terminals)
    whole = writer.write(rules[start])
    groups = [group for group, name in writer.names if name == last]
    if not groups:
        raise NotRegular(f"terminal {last} is not in rule {start}")
    return re.compile(_prefix(whole, groups[0]))


def _prefix(pattern: str, group: int) -> str:
    """Cut an expression after its group number `group`, and close the groups that are still open."""
    opened: list[int] = []
    count = position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "\\":
            position += 2
            continue
        if char == "[":
            position = _class_end(pattern, position)
            continue
        if char == "(":
            count += pattern[position + 1] != "?"
            opened.append(count if pattern[position + 1] != "?" else 0)
        elif char == ")" and opened.pop() == group:
            return pattern[: position + 1] + ")" * len(opened)
        position += 1
    raise NotRegular(f"group {group} does not end")


def _class_end(pattern: str, position: int) -> int:
    position += 2 if pattern[position + 1] == "^" else 1
    position += pattern[position] == "]"
    while pattern[position] != "]":
        position += 2 if pattern[position] == "\\" else 1
    return position + 1
