"""Detects edits of scripts from the line numbers that their output names.

A line names the script that printed it and the line number of its echo. The number stays the same until somebody edits
the script above it. So if it changes from one run to the next, the script was edited in between: a free version marker,
and a possible cause of a slowdown since then.

An edit moves all echoes below it, and they show up again one by one. So the changes of one script are one edit as long
as some instant lies between the last sight of each old number and the first sight of its new one. An edit that moves no
echo is not seen, and several edits between two runs are seen as one. If machines run different versions of a script at
the same time, it seems to be edited back and forth.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple


class Spell(NamedTuple):
    """A period in which marks of a stage and key came from one line of a script: first and last of them (unix ms)."""

    script: str
    stage: str
    key: str
    line: int
    first_ms: int
    last_ms: int


class ScriptChange(NamedTuple):
    """An edit of a script.

    Attributes:
        before, after: a line number that moved, for the stage and key where this was seen first.
        since_ms, at_ms: the edit was after the first and at or before the second time (unix ms).
        moved: number of (stage, key) pairs whose line number changed.
    """

    script: str
    before: int
    after: int
    since_ms: int
    at_ms: int
    moved: int = 1


def script_changes(spells: Iterable[Spell]) -> list[ScriptChange]:
    """Return one change per edit, in order of time."""
    moves = sorted(_moves(spells), key=lambda move: (move.script, move.at_ms, move.before, move.after))
    changes: list[ScriptChange] = []
    for move in moves:
        last = changes[-1] if changes else None
        if last is not None and last.script == move.script and move.since_ms < last.at_ms:
            since_ms = max(last.since_ms, move.since_ms)
            changes[-1] = last._replace(since_ms=since_ms, moved=last.moved + 1)
        else:
            changes.append(move)
    return sorted(changes, key=lambda change: (change.at_ms, change.script))


def _moves(spells: Iterable[Spell]) -> Iterable[ScriptChange]:
    """Yield each change of a line number at one script, stage and key."""
    ordered = sorted(spells, key=lambda spell: (*spell[:3], spell.first_ms, spell.last_ms, spell.line))
    for _, same in groupby(ordered, key=lambda spell: spell[:3]):
        now: Spell | None = None
        for spell in same:
            if now is not None and spell.line != now.line:
                since_ms = min(now.last_ms, spell.first_ms - 1)
                yield ScriptChange(spell.script, now.line, spell.line, since_ms, spell.first_ms)
            now = spell
