"""Output of `perflog replay`: what was sent and what it corrects, or the differences found by a shadow read."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from ingest.cli.console import shown, visible
from ingest.cli.format import plural
from ingest.core.replay.corrections import CORRECTED, GONE, TO_INDEX, TO_RUN, TO_TIME
from ingest.core.replay.diff import Differences, Example, OnlyOne, Tally, by_lines
from ingest.core.replay.stored_line import DocumentVersion
from ingest.core.timestamps import iso
from ingest.pipeline.replay.resend import NEW, Change, Corrections, LinesReport

_WORDS = {
    TO_INDEX: "to another index",
    TO_RUN: "to another run",
    TO_TIME: "to another time",
    GONE: "gone: their lines make them no more",
    NEW: "new, beside those that were there",
}
VALUE_CHARACTERS, LINE_CHARACTERS = 60, 160


def report_row(report: LinesReport) -> dict[str, Any]:
    """Return what was sent, as JSON."""
    corrections = report.corrections
    return {
        "dry_run": report.dry_run,
        "lines": report.lines,
        "topics": dict(report.topics),
        "documents": {"same": corrections.same, **{word: corrections.words[word] for word in (CORRECTED, *_WORDS)}},
        "rejects": dict(corrections.rejects),
        "examples": {
            word: [_change_row(change) for change in changes] for word, changes in corrections.examples.items()
        },
        "left_out": dict(report.left_out),
        "left_behind": report.left_behind,
    }


def _change_row(change: Change) -> dict[str, Any]:
    sides = {"old": change.old, "new": change.made}
    versions = {name: edition._asdict() if edition else None for name, edition in sides.items()}
    return {"line": change.line.decode("utf-8", "replace"), **versions}


def show_report(report: LinesReport, screen: Console) -> None:
    """Print what was sent where, and what reading it again corrects."""
    verb = "would be sent" if report.dry_run else "sent"
    screen.print(f"{plural(report.lines, 'line')} {verb}.")
    for topic, lines in report.topics.most_common():
        screen.print(f"  {lines:,} to {topic}")
    _show_corrections(report.corrections, screen)
    if report.left_behind:
        screen.print(f"{report.left_behind:,} marks removed from runs that they no longer belong to.")
    _show_left_out(report.left_out, screen)


def _show_corrections(corrections: Corrections, screen: Console) -> None:
    corrected = corrections.words[CORRECTED]
    if not corrections.words.total():
        screen.print(f"Nothing to correct: {corrections.same:,} documents are of these revisions.")
    else:
        screen.print(
            f"Read by these grammars, {corrected:,} documents are corrected, {corrections.same:,} stay as they are."
        )
    for word, words in _WORDS.items():
        if corrections.words[word]:
            screen.print(f"  {corrections.words[word]:,} {words}")
            for change in corrections.examples.get(word, ())[:1]:
                screen.print(Text(f"    e.g. {_moved(word, change)}"), soft_wrap=True)
    if corrections.rejects:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in corrections.rejects.most_common())
        screen.print(f"  {corrections.rejects.total():,} refused now ({reasons})", style="yellow")


def _moved(word: str, change: Change) -> str:
    if change.made is None:
        return visible(change.line.decode("utf-8", "replace"))[:LINE_CHARACTERS]
    return f"{_told(word, change.old)} → {_told(word, change.made)}"


def _told(word: str, edition: DocumentVersion) -> str:
    if word == TO_TIME:
        return iso(edition.at_ms)
    return edition.index if word == TO_INDEX else visible(edition.run) or "no run"


def _show_left_out(left_out: Mapping[str, int], screen: Console) -> None:
    for why, documents in left_out.items():
        screen.print(f"{documents:,} documents left out: {why}.", style="yellow")


def shadow_row(found: Differences, left_out: Mapping[str, int]) -> dict[str, Any]:
    """Return the differences, as JSON."""
    return {
        "lines": found.lines,
        "differing": found.differing,
        "fields": {
            name: {"lines": tally.lines, "examples": [_example_row(each) for each in tally.examples]}
            for name, tally in by_lines(found.fields)
        },
        "only_stored": _only_row(found.only_old),
        "only_shadow": _only_row(found.only_new),
        "left_out": dict(left_out),
    }


def _example_row(example: Example) -> dict[str, Any]:
    return {"old": example.old, "new": example.new, "line": example.line.decode("utf-8", "replace")}


def _only_row(tally: Tally) -> dict[str, Any]:
    def row(example: OnlyOne) -> dict[str, Any]:
        return {"id": example.doc_id, "line": example.line.decode("utf-8", "replace"), "why": example.why or None}

    return {"lines": tally.lines, "examples": [row(example) for example in tally.examples]}


def show_shadow(found: Differences, left_out: Mapping[str, int], screen: Console) -> None:
    """Print the differences by field, most lines first, with examples."""
    for name, tally in by_lines(found.fields):
        screen.print(Text(f"{name}: {plural(tally.lines, 'line')}", style="bold"))
        for example in tally.examples:
            old, new = (_value(value) for value in (example.old, example.new))
            screen.print(Text(f"  {old} → {new}"), soft_wrap=True)
            screen.print(Text(f"    {_line(example.line)}", style="dim"), soft_wrap=True)
    _show_only("only as stored", found.only_old, screen)
    _show_only("only by these grammars", found.only_new, screen)
    _show_left_out(left_out, screen)
    differ = f"{found.differing:,} of them differ" if found.any else "no difference"
    screen.print(f"{plural(found.lines, 'line')} compared: {differ}. Nothing was written.")


def _show_only(what: str, tally: Tally, screen: Console) -> None:
    if not tally.lines:
        return
    screen.print(Text(f"read {what}: {plural(tally.lines, 'line')}", style="bold"))
    for example in tally.examples:
        screen.print(Text(f"    {_line(example.line)}", style="dim"), soft_wrap=True)
        if example.why:
            screen.print(Text(f"      {shown(example.why)}"), soft_wrap=True)


def _value(value: Any) -> str:
    return "nothing" if value is None else shown(value, VALUE_CHARACTERS)


def _line(data: bytes) -> str:
    return shown(data.decode("utf-8", "replace"), LINE_CHARACTERS)
