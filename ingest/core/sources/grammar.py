"""Parse text with a Lark grammar: by a compiled regular expression (see regular.py) first, by Lark if that fails.

The only module that imports lark; Lark also explains rejects. A reader returns a ParsedMessage or a Mismatch and never
raises, whatever the bytes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import LarkError, UnexpectedInput
from lark.load_grammar import load_grammar

from ingest.core.model import ExitCode, ParsedMessage, Problem
from ingest.core.sources.readers import Mismatch
from ingest.core.sources.regular import (
    Captured,
    Compiled,
    NotRegular,
    PlainText,
    compile_grammar,
    compile_head,
    compile_plain,
)


@dataclass(frozen=True, slots=True)
class PlacedToken:
    """A token with its position: characters `start` to `end` of the text; `item` is its index in the repeated rule."""

    terminal: str
    text: str
    start: int
    end: int
    item: int | None = None


class GrammarReader:
    """Reads text with a Lark grammar. Each match of the rule named by `repeat` becomes an item of the record."""

    def __init__(self, text: str, name: str, repeat: str | None) -> None:
        """Compile the grammar; raise `Problem` (78) if it is invalid. Lark's parser is built on first use."""
        self._text, self._name = text, name
        with self._raising_problem():
            grammar, _ = load_grammar(text, name, [], True)
            terminals, _, _ = grammar.compile(["start"], "*")
        self._repeat = repeat
        self._rules: Mapping[str, Any] = {str(rule[0]): rule[2] for rule in grammar.rule_defs}
        self._patterns = {str(terminal.name): terminal.pattern.to_regexp() for terminal in terminals}
        self.why_slow = ""
        try:
            self.compiled: Compiled | None = compile_grammar(self._rules, self._patterns, "start", repeat)
        except NotRegular as reason:
            self.compiled, self.why_slow = None, str(reason)

    @contextmanager
    def _raising_problem(self) -> Iterator[None]:
        try:
            yield
        except LarkError as error:
            what = f"The grammar of source {self._name} does not compile: {error}"
            raise Problem(what, "Fix grammar.lark.", ExitCode.CONFIG) from error

    @cached_property
    def _lark(self) -> Lark:
        """The LALR parser; a large grammar takes a second to build, so commands that explain nothing never build it."""
        with self._raising_problem():
            return Lark(self._text, parser="lalr", lexer="contextual", keep_all_tokens=True, maybe_placeholders=False)

    def prove(self) -> None:
        """Build Lark's parser now; raise `Problem` (78) if the grammar is not LALR."""
        assert self._lark is not None  # noqa: S101 - accessed so that it is built

    @property
    def terminals(self) -> Mapping[str, str]:
        """Terminal -> its regular expression."""
        return self._patterns

    def head(self, last: str) -> re.Pattern[str]:
        """The regular expression of the beginning of a text, up to and including terminal `last`."""
        return compile_head(self._rules, self._patterns, "start", last)

    def read(self, raw: bytes) -> ParsedMessage | Mismatch:
        """Read with the compiled expression; text that it does not match is read or explained by Lark."""
        text = raw.decode("utf-8", "replace")
        captured = self.compiled.read(text) if self.compiled else None
        return self.explained(text, raw) if captured is None else _record(captured, raw)

    def takes(self, text: str) -> bool:
        """Whether a text may be readable: its expression decides; without an expression, any text may be."""
        return self.compiled is None or self.compiled.read(text) is not None

    def plain(self, lead: tuple[str, str], moving: Sequence[str]) -> PlainText:
        """Expressions of texts in which the repeated rule matches once (regular.compile_plain). Raises NotRegular."""
        return compile_plain(self._rules, self._patterns, self._repeat or "", lead, moving)

    def locate(self, raw: bytes, terminal: str, text: str) -> tuple[int, int] | None:
        """Line and column (from 1) of the first `terminal` whose text is `text`, in bytes that the grammar accepts."""
        whole = raw.decode("utf-8", "replace")
        at = self.compiled.locate(whole, terminal, text) if self.compiled else None
        if at is None:
            at = self._located(whole, terminal, text)
        return None if at is None else (whole.count("\n", 0, at) + 1, at - whole.rfind("\n", 0, at))

    def _located(self, whole: str, terminal: str, text: str) -> int | None:
        parser = self._lark.parse_interactive(whole)
        with suppress(UnexpectedInput):  # if Lark rejects the text, the position is unknown
            for token in parser.iter_parse():
                if token.type == terminal and str(token) == text:
                    return token.start_pos
        return None

    def tokens(self, text: str) -> tuple[PlacedToken, ...]:
        """Every token of a text, including separators (`_NAME`); for a rejected text, the tokens before the fault."""
        parser = self._lark.parse_interactive(text)
        seen: list[Token] = []
        match_numbers: dict[int | None, int] = {}
        try:
            for token in parser.iter_parse():
                seen.append(token)
            match_numbers = _match_numbers(parser.resume_parse(), self._repeat)
        except UnexpectedInput:
            pass  # return the tokens read so far
        return tuple(
            PlacedToken(token.type, str(token), token.start_pos, token.end_pos, match_numbers.get(token.start_pos))
            for token in seen
            if token.type != "$END" and token.start_pos is not None and token.end_pos is not None
        )

    def explained(self, text: str, raw: bytes) -> ParsedMessage | Mismatch:
        """Let Lark read or explain a text that the expression does not match.

        If the repeated rule matches many times, Lark reads only the first and last matches, so the cost of a reject
        depends
        only on the text around its fault; `seen` then lacks the tokens in between.
        """
        middle = self.compiled.middle(text) if self.compiled else None
        result = self._read_by_lark(text, raw, middle)
        return self.read_slowly(text, raw) if middle and isinstance(result, ParsedMessage) else result

    def read_slowly(self, text: str, raw: bytes) -> ParsedMessage | Mismatch:
        """Read all of the text with Lark, the reference for what the grammar accepts."""
        return self._read_by_lark(text, raw, None)

    def _read_by_lark(self, text: str, raw: bytes, middle: tuple[int, int] | None) -> ParsedMessage | Mismatch:
        parser = self._lark.parse_interactive(text)
        seen: list[Token] = []
        try:
            for token in parser.iter_parse():
                seen.append(token)
                state = parser.lexer_thread.state
                if middle and state and token.end_pos == middle[0]:
                    state.line_ctr.char_pos = middle[1]
            tree = parser.resume_parse()
        except UnexpectedInput as error:
            return _mismatch(text, error, parser.accepts(), seen)
        return _record(_captured(tree, self._repeat), raw)


def _record(captured: Captured, raw: bytes) -> ParsedMessage:
    return ParsedMessage(values=captured.values, raw=raw, items=tuple(captured.items), spans=tuple(captured.spans))


def _match_numbers(tree: Any, repeat: str | None) -> dict[int | None, int]:
    """Start position of a token -> index (from 0) of the repeated rule's match that contains it."""
    matches = (subtree for subtree in tree.iter_subtrees_topdown() if subtree.data == repeat)
    tokens = ((n, subtree.scan_values(lambda value: isinstance(value, Token))) for n, subtree in enumerate(matches))
    return {token.start_pos: n for n, inside in tokens for token in inside}


def _captured(tree: Any, repeat: str | None) -> Captured:
    matches = [subtree for subtree in tree.iter_subtrees_topdown() if subtree.data == repeat] if repeat else []
    return Captured(_tokens(tree, repeat), [_tokens(match) for match in matches], [_span(match) for match in matches])


def _span(tree: Any) -> tuple[int, int]:
    """The span of a match in its text, from its first token to its last."""
    tokens = list(tree.scan_values(lambda value: isinstance(value, Token)))
    return tokens[0].start_pos, tokens[-1].end_pos


def _tokens(tree: Any, without: str | None = None) -> dict[str, str]:
    texts: dict[str, str] = {}
    todo: list[Any] = [tree]
    while todo:
        node = todo.pop(0)
        if isinstance(node, Tree):
            todo = [c for c in node.children if not (isinstance(c, Tree) and c.data == without)] + todo
        elif not node.type.startswith("_"):
            texts[node.type] = str(node)
    return texts


def _mismatch(text: str, error: UnexpectedInput, accepts: set[str], seen: list[Token]) -> Mismatch:
    at_end = getattr(getattr(error, "token", None), "type", "") == "$END"
    position = len(text) if at_end else (error.pos_in_stream or 0)
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    expected = tuple(sorted({"end of text" if name == "$END" else name.lstrip("_") for name in accepts}))
    rest = text[position : position + 40].partition("\n")[0]
    here = "the text ends" if at_end else f"`{rest[:20]}` stands"
    detail = f"{here} where {_listed(expected)} is expected"
    tokens = tuple((token.type, str(token)) for token in seen if token.type != "$END")
    return Mismatch("syntax", detail, line, column, expected, tokens, at_end, rest)


def _listed(names: tuple[str, ...]) -> str:
    return " or ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} or {names[-1]}"
