"""Edits of scripts, told by the line numbers that they print from. Pure.

A line names the script that printed it and the number of its echo there. That number is the same as long as nobody
edits the script above it, so where it changes from one run to the next, the script was edited in between: a free mark
of its version, and a possible cause of what got slower since.

An edit moves all echoes below it, and they are seen again one by one. So the changes of one script are one edit as long
as one instant lies between the last sight of each old number and the first sight of its new one. An edit that moves no
echo is not seen, and of several between two runs one is. Where machines run different versions of a script at the same
time, it seems to be edited to and fro.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple


class Spell(NamedTuple):
    """For a while marks of a stage and key came from a line of a script: first and last of them (unix ms)."""

    script: str
    stage: str
    key: str
    line: int
    first_ms: int
    last_ms: int


class ScriptChange(NamedTuple):
    """An edit of a script.

    Attributes:
        before, after: a line number that moved, of the stage and key at which it was seen first.
        since_ms, at_ms: the edit lies behind the first and not behind the second instant (unix ms).
        moved: at how many pairs of stage and key the number has changed.
    """

    script: str
    before: int
    after: int
    since_ms: int
    at_ms: int
    moved: int = 1


def script_changes(spells: Iterable[Spell]) -> list[ScriptChange]:
    """One marker for each edit, in order of time."""
    moves = sorted(_moves(spells), key=lambda move: (move.script, move.at_ms, move.before, move.after))
    found: list[ScriptChange] = []
    for move in moves:
        last = found[-1] if found else None
        if last is not None and last.script == move.script and move.since_ms < last.at_ms:
            since_ms = max(last.since_ms, move.since_ms)
            found[-1] = last._replace(since_ms=since_ms, moved=last.moved + 1)
        else:
            found.append(move)
    return sorted(found, key=lambda change: (change.at_ms, change.script))


def _moves(spells: Iterable[Spell]) -> Iterable[ScriptChange]:
    """Each change of a number at one script, stage and key."""
    ordered = sorted(spells, key=lambda spell: (*spell[:3], spell.first_ms, spell.last_ms, spell.line))
    for _, same in groupby(ordered, key=lambda spell: spell[:3]):
        now: Spell | None = None
        for spell in same:
            if now is not None and spell.line != now.line:
                since_ms = min(now.last_ms, spell.first_ms - 1)
                yield ScriptChange(spell.script, now.line, spell.line, since_ms, spell.first_ms)
            now = spell
