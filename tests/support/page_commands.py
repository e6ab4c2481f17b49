"""The command lines that a page shows: in code blocks, in the prose, with the output printed beneath them."""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# A fence's language says what stands in it; one without a language could hide a command line.
LANGUAGES = ("text", "json", "toml")
OUTPUT = "text"
INDENTED, PROSE = "indented", "prose"
PROMPT = "$ "
PROGRAM = re.compile(r"(?:\.venv/bin/)?perflog|\./(?:deploy|tests)/[a-z]+|deploy/(?:demo|prepare)|tests/(?:run|bare)")
OPERATORS = frozenset({"|", "||", "&&", ";", "&", "<", ">", ">>"})
REDIRECTIONS = frozenset({"<", ">", ">>"})
_INLINE = re.compile(r"`([^`]+)`")
_COMMENT = re.compile(r"\s+# .*$")
_MAY_CALL = re.compile(rf"(?:^|[\s|;&(])(?:{PROGRAM.pattern})(?=\s|$)")


class CommandLine(NamedTuple):
    """One command line, its page and line, and the output that the page prints beneath it (None: nothing)."""

    page: str
    line: int
    text: str
    printed: str | None = None
    is_inline: bool = False

    @property
    def place(self) -> str:
        """Page and line, as an editor opens them."""
        return f"{self.page}:{self.line}"


class Block(NamedTuple):
    """Consecutive lines of one kind: prose, indented code, or a fence of a language."""

    kind: str
    first_line: int
    lines: tuple[str, ...]


def command_lines(page: str, text: str) -> list[CommandLine]:
    """Every line that calls `perflog` or a script of `deploy/` or `tests/`, in the order of the page."""
    commands: list[CommandLine] = []
    previous: list[CommandLine] = []
    for block in _blocks(page, text.splitlines()):
        if block.kind == PROSE:
            shown = _inline(page, block)
        elif block.kind in (INDENTED, OUTPUT):
            shown = _in_code(page, block)
        else:
            shown = []
        if block.kind == OUTPUT and not shown and previous and previous[-1].printed is None:
            commands[-1] = previous[-1]._replace(printed="\n".join(block.lines))
        commands += shown
        previous = [] if block.kind == PROSE else shown
    return commands


def segments(text: str) -> list[list[str]]:
    """The commands of a pipeline or list, each as its words; redirections and comments are left out."""
    commands: list[list[str]] = [[]]
    is_target = False
    for word in _words(text):
        if word in OPERATORS - REDIRECTIONS:
            commands.append([])
        elif word not in REDIRECTIONS and not is_target:
            commands[-1].append(word)
        is_target = word in REDIRECTIONS
    return [words for words in commands if words]


def needs_shell(text: str) -> bool:
    """Whether there is a pipe, a redirection or a second command."""
    return not OPERATORS.isdisjoint(_words(text))


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def _blocks(page: str, lines: Sequence[str]) -> Iterator[Block]:
    """Blank lines end indented code and prose, and do nothing else."""
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif line.startswith("```"):
            language = line.removeprefix("```").strip()
            if language not in LANGUAGES:
                raise ValueError(f"{page}:{at + 1}: the fence names none of {', '.join(LANGUAGES)}")
            end = lines.index("```", at + 1)
            yield Block(language, at + 2, tuple(lines[at + 1 : end]))
            at = end + 1
        else:
            kind = INDENTED if line.startswith("    ") else PROSE
            end = _end(lines, at, kind)
            yield Block(kind, at + 1, tuple(lines[at:end]))
            at = end


def _end(lines: Sequence[str], start: int, kind: str) -> int:
    """The line at which prose or indented code ends: a blank one, a fence, or one with another indentation."""
    for at in range(start + 1, len(lines)):
        line = lines[at]
        blank_inside = not line.strip() and kind == INDENTED and "".join(lines[at + 1 : at + 2]).startswith("    ")
        if blank_inside or (line.strip() and line.startswith("    ") == (kind == INDENTED) and line[:3] != "```"):
            continue
        return at
    return len(lines)


def _inline(page: str, block: Block) -> list[CommandLine]:
    """Code spans of the prose that begin with a program; a span may go over the end of a line."""
    text = "\n".join(block.lines)
    commands = []
    for span in _INLINE.finditer(text):
        words = " ".join(span[1].split())
        program, _, rest = words.partition(" ")
        if PROGRAM.fullmatch(program) and (rest or "/" in program) and not words.endswith("/"):
            line = block.first_line + text.count("\n", 0, span.start())
            commands.append(CommandLine(page, line, words, is_inline=True))
    return commands


def _in_code(page: str, block: Block) -> list[CommandLine]:
    """`$ ` begins a command line, and its output ends at the next one; without any, indented lines are commands."""
    lines = [line.removeprefix("    ") if block.kind == INDENTED else line for line in block.lines]
    prompts = [n for n, line in enumerate(lines) if line.startswith(PROMPT)]
    if not prompts:
        joined = _joined(lines) if block.kind == INDENTED else []
        return [CommandLine(page, block.first_line + n, text) for n, text in joined if _MAY_CALL.search(text)]
    commands = []
    for n, end in zip(prompts, [*prompts[1:], len(lines)], strict=True):
        text_end = next(at for at in range(n, end) if not lines[at].endswith("\\")) + 1
        ((_, text),) = _joined([lines[n].removeprefix(PROMPT), *lines[n + 1 : text_end]])
        printed = "\n".join(lines[text_end:end]).strip("\n") or None
        commands.append(CommandLine(page, block.first_line + n, text, printed))
    return [command for command in commands if _MAY_CALL.search(command.text)]


def _joined(lines: Sequence[str]) -> list[tuple[int, str]]:
    """Lines with those that continue them and without comments, each with the number of its first line."""
    joined: list[tuple[int, str]] = []
    is_continued = False
    for n, line in enumerate(lines):
        part = _COMMENT.sub("", line.removesuffix("\\"))
        if is_continued:
            first, text = joined[-1]
            joined[-1] = (first, f"{text.rstrip()} {part.strip()}")
        else:
            joined.append((n, part))
        is_continued = line.endswith("\\")
    return joined
