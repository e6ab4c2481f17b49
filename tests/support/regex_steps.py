"""Count the steps in which a regular expression matches, so that a test can tell linear work from quadratic work.

Python's `re` does its work in C and reports no figure of it. This module runs the same parse tree by the textbook's
backtracking machine: one step an instruction, no optimisation. `re` does the same steps or fewer. Each count is of a
match that `re` makes too, and the two must end at the same character. A count depends on nothing but the expression
and the text.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from re import _constants as names
from re import _parser as parser
from typing import Any, NamedTuple

MAX_STEPS = 2_000_000
FAILED = -1


class TooManySteps(AssertionError):
    """The expression needs more steps than the test allows."""


class Split(NamedTuple):
    """Try one instruction first and, if what follows fails, the other."""

    first: int
    second: int


class Jump(NamedTuple):
    """Go on at another instruction."""

    target: int


class Part(NamedTuple):
    """An atomic group or a condition: a program of its own. `moves` = what it matches is consumed."""

    program: "Program"
    must_match: bool = True
    moves: bool = False
    back: int = 0


class Anchor(NamedTuple):
    """A condition on the position, such as the end of the text."""

    pattern: re.Pattern[str]


Taken = Callable[[str], bool]  # whether a character is one of those that the instruction takes
CATEGORIES = {
    f"CATEGORY_{name}": lambda character, flags, letter=letter: re.match(letter, character, flags) is not None
    for name, letter in {"DIGIT": r"\d", "NOT_DIGIT": r"\D", "SPACE": r"\s", "NOT_SPACE": r"\S",
                         "WORD": r"\w", "NOT_WORD": r"\W"}.items()
}  # fmt: skip
Instruction = Taken | Split | Jump | Part | Anchor
Program = list[Instruction]
Choice = tuple[int, int]  # the number of an instruction, or FAILED, and the position in the text


class Machine:
    """Runs programs over one text and counts their steps, up to `limit`."""

    def __init__(self, text: str, limit: int = MAX_STEPS) -> None:
        self.text = text
        self.limit = limit
        self.steps = 0

    def end_of(self, program: Program, start: int, to_the_end: bool = False) -> int | None:
        """Where a match that begins at `start` ends; None if there is none."""
        choices = [(0, start)]
        while choices:
            at, position = choices.pop()
            while at < len(program) and at != FAILED:
                at, position = self._next(program[at], at + 1, position, choices)
            if at != FAILED and not (to_the_end and position < len(self.text)):
                return position
        return None

    def _next(self, instruction: Instruction, at: int, position: int, choices: list[Choice]) -> Choice:
        """Where to go on after one instruction; `at` is the one behind it."""
        self.steps += 1
        if self.steps > self.limit:
            raise TooManySteps(f"more than {self.limit} steps on {len(self.text)} characters")
        if isinstance(instruction, Split):
            choices.append((instruction.second, position))
            return instruction.first, position
        if isinstance(instruction, Jump):
            return instruction.target, position
        if isinstance(instruction, Part):
            end = self._end_of_part(instruction, position)
            return (FAILED, position) if end is None else (at, end)
        if isinstance(instruction, Anchor):
            return (at if instruction.pattern.match(self.text, position) else FAILED), position
        taken = position < len(self.text) and instruction(self.text[position])
        return (at, position + 1) if taken else (FAILED, position)

    def _end_of_part(self, part: Part, position: int) -> int | None:
        start = position - part.back
        end = self.end_of(part.program, start) if start >= 0 else None
        if (end is not None) != part.must_match:
            return None
        return end if part.moves else position


class _Compiler:
    """Makes a program of a parse tree."""

    def __init__(self, flags: int) -> None:
        self.flags = flags

    def program(self, tree: Any) -> Program:
        """The program of a sequence of nodes."""
        made: Program = []
        for node in tree:
            self._add(made, *node)
        return made

    def _add(self, made: Program, name: Any, value: Any) -> None:
        match str(name):
            case "SUBPATTERN":
                self._append(made, self.program(value[3]))
            case "BRANCH":
                self._add_branch(made, [self.program(choice) for choice in value[1]])
            case "ATOMIC_GROUP":
                made.append(Part(self.program(value), moves=True))
            case "POSSESSIVE_REPEAT":
                made.append(Part(self.program([(names.MAX_REPEAT, value)]), moves=True))
            case "MAX_REPEAT" | "MIN_REPEAT":
                self._add_repeat(made, value, name is names.MAX_REPEAT)
            case "ASSERT" | "ASSERT_NOT":
                direction, inner = value
                back = inner.getwidth()[0] if direction < 0 else 0
                made.append(Part(self.program(inner), must_match=name is names.ASSERT, back=back))
            case "AT":
                made.append(Anchor(self._anchor(value)))
            case _:
                made.append(_taken((name, value), self.flags))

    @staticmethod
    def _append(made: Program, inner: Program) -> None:
        """Add a program behind another one; its jumps move with it."""
        offset = len(made)
        for instruction in inner:
            if isinstance(instruction, Split):
                made.append(Split(instruction.first + offset, instruction.second + offset))
            elif isinstance(instruction, Jump):
                made.append(Jump(instruction.target + offset))
            else:
                made.append(instruction)

    def _add_branch(self, made: Program, choices: Sequence[Program]) -> None:
        end = len(made) + sum(len(choice) + 2 for choice in choices[:-1]) + len(choices[-1])
        for choice in choices[:-1]:
            made.append(Split(len(made) + 1, len(made) + len(choice) + 2))
            self._append(made, choice)
            made.append(Jump(end))
        self._append(made, choices[-1])

    def _add_repeat(self, made: Program, value: Any, greedy: bool) -> None:
        least, most, tree = value
        body = self.program(tree)
        assert tree.getwidth()[0] > 0 or most is not names.MAXREPEAT, "a loop may match nothing: without end here"
        for _ in range(least):
            self._append(made, body)
        if most is names.MAXREPEAT:
            begin = len(made)
            self._add_split(made, begin + len(body) + 2, greedy)
            self._append(made, body)
            made.append(Jump(begin))
            return
        end = len(made) + (most - least) * (len(body) + 1)
        for _ in range(most - least):
            self._add_split(made, end, greedy)
            self._append(made, body)

    @staticmethod
    def _add_split(made: Program, end: int, greedy: bool) -> None:
        inside = len(made) + 1
        made.append(Split(inside, end) if greedy else Split(end, inside))

    def _anchor(self, value: Any) -> re.Pattern[str]:
        text = {"AT_BEGINNING": "^", "AT_BEGINNING_STRING": r"\A", "AT_BOUNDARY": r"\b", "AT_NON_BOUNDARY": r"\B",
                "AT_END": "$", "AT_END_STRING": r"\Z"}[str(value)]  # fmt: skip
        return re.compile(text, self.flags & (re.MULTILINE | re.ASCII))


def _taken(node: tuple[Any, Any], flags: int) -> Taken:
    """Whether a character is taken by a node of one character."""
    assert str(node[0]) in {"LITERAL", "NOT_LITERAL", "ANY", "IN"}, f"{node[0]} is not counted"
    results: dict[str, bool] = {}

    def is_taken(character: str) -> bool:
        if character not in results:
            cases = {character, character.lower(), character.upper()} if flags & re.IGNORECASE else {character}
            results[character] = any(_matches(node, case, flags) for case in cases if len(case) == 1)
        return results[character]

    return is_taken


def _matches(node: Any, character: str, flags: int) -> bool:
    name, value = node
    match str(name):
        case "LITERAL":
            return ord(character) == int(value)
        case "NOT_LITERAL":
            return ord(character) != int(value)
        case "ANY":
            return character != "\n" or bool(flags & re.DOTALL)
        case "RANGE":
            return bool(value[0] <= ord(character) <= value[1])
        case "CATEGORY":
            return CATEGORIES[str(value)](character, flags & re.ASCII)
        case "IN":
            negated = str(value[0][0]) == "NEGATE"
            return any(_matches(member, character, flags) for member in value[negated:]) != negated
    raise AssertionError(f"{name} is not counted")


@lru_cache(maxsize=512)
def program_of(pattern: re.Pattern[str]) -> Program:
    """The program of an expression."""
    return _Compiler(pattern.flags).program(parser.parse(pattern.pattern, pattern.flags))


def match_steps(pattern: re.Pattern[str], text: str, limit: int = MAX_STEPS) -> int:
    """The steps of `pattern.match` and of `pattern.fullmatch`, which has to try every other choice."""
    machine = Machine(text, limit)
    for to_the_end in (False, True):
        end = machine.end_of(program_of(pattern), 0, to_the_end)  # first: it ends at the limit, `re` does not
        match = pattern.fullmatch(text) if to_the_end else pattern.match(text)
        assert end == (match.end() if match else None), (pattern.pattern, text, end, match)
    return machine.steps


def search_steps(pattern: re.Pattern[str], text: str, limit: int = MAX_STEPS) -> int:
    """The steps of `pattern.finditer`, read to its end; `sub`, `findall` and `search` take the same or fewer."""
    machine = Machine(text, limit)
    spans = list(_spans(machine, program_of(pattern)))
    assert spans == [match.span() for match in pattern.finditer(text)], pattern.pattern
    return machine.steps


def _spans(machine: Machine, program: Program) -> Iterator[tuple[int, int]]:
    start = 0
    while start <= len(machine.text):
        end = machine.end_of(program, start)
        if end is not None:
            yield start, end
        start = start + 1 if end is None or end == start else end
