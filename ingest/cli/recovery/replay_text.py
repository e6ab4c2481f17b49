"""Output of `perflog replay`: what was sent and what it corrects, or the differences found by a shadow read."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from ingest.cli.console import format_value
from ingest.cli.format import format_count
from ingest.core.replay.corrections import CORRECTED, GONE, TO_INDEX, TO_RUN, TO_TIME
from ingest.core.replay.diff import Differences, Example, OnlyOne, Tally, by_lines
from ingest.core.replay.stored_line import DocumentVersion
from ingest.core.timestamps import iso
from ingest.pipeline.replay.resend import NEW, Change, Corrections, LinesReport
from ingest.telemetry import make_visible

_WORDS = {
    TO_INDEX: "to another index",
    TO_RUN: "to another run",
    TO_TIME: "to another time",
    GONE: "removed: their lines no longer produce them",
    NEW: "new, besides those already stored",
}
VALUE_CHARACTERS, LINE_CHARACTERS = 60, 160


def report_to_json(report: LinesReport) -> dict[str, Any]:
    """Return what was sent, as JSON."""
    corrections = report.corrections
    return {
        "dry_run": report.dry_run,
        "lines": report.lines,
        "topics": dict(report.topics),
        "documents": {"same": corrections.same, **{word: corrections.words[word] for word in (CORRECTED, *_WORDS)}},
        "rejects": dict(corrections.rejects),
        "examples": {
            word: [_change_to_json(change) for change in changes] for word, changes in corrections.examples.items()
        },
        "left_out": dict(report.left_out),
        "left_behind": report.left_behind,
    }


def _change_to_json(change: Change) -> dict[str, Any]:
    sides = {"old": change.old, "new": change.made}
    versions = {name: version._asdict() if version else None for name, version in sides.items()}
    return {"line": change.line.decode("utf-8", "replace"), **versions}


def show_report(report: LinesReport, console: Console) -> None:
    """Print what was sent where, and what reading it again corrects."""
    verb = "would be sent" if report.dry_run else "sent"
    console.print(f"{format_count(report.lines, 'line')} {verb}.")
    for topic, lines in report.topics.most_common():
        console.print(f"  {lines:,} to {topic}")
    _show_corrections(report.corrections, console)
    if report.left_behind:
        console.print(f"{report.left_behind:,} marks removed from runs that they no longer belong to.")
    _show_left_out(report.left_out, console)


def _show_corrections(corrections: Corrections, console: Console) -> None:
    corrected = corrections.words[CORRECTED]
    if not corrections.words.total():
        console.print(f"Nothing to correct: {corrections.same:,} documents are of these revisions.")
    else:
        console.print(
            f"Read by these grammars, {corrected:,} documents are corrected, {corrections.same:,} stay as they are."
        )
    for word, words in _WORDS.items():
        if corrections.words[word]:
            console.print(f"  {corrections.words[word]:,} {words}")
            for change in corrections.examples.get(word, ())[:1]:
                console.print(Text(f"    e.g. {_describe_change(word, change)}"), soft_wrap=True)
    if corrections.rejects:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in corrections.rejects.most_common())
        console.print(f"  {corrections.rejects.total():,} refused now ({reasons})", style="yellow")


def _describe_change(word: str, change: Change) -> str:
    if change.made is None:
        return make_visible(change.line.decode("utf-8", "replace"))[:LINE_CHARACTERS]
    return f"{_describe_version(word, change.old)} → {_describe_version(word, change.made)}"


def _describe_version(word: str, version: DocumentVersion) -> str:
    if word == TO_TIME:
        return iso(version.at_ms)
    return version.index if word == TO_INDEX else make_visible(version.run) or "no run"


def _show_left_out(left_out: Mapping[str, int], console: Console) -> None:
    for why, documents in left_out.items():
        console.print(f"{documents:,} documents left out: {why}.", style="yellow")


def differences_to_json(differences: Differences, left_out: Mapping[str, int]) -> dict[str, Any]:
    """Return the differences, as JSON."""
    return {
        "lines": differences.lines,
        "differing": differences.differing,
        "fields": {
            name: {"lines": tally.lines, "examples": [_example_to_json(example) for example in tally.examples]}
            for name, tally in by_lines(differences.fields)
        },
        "only_stored": _only_one_side_to_json(differences.only_old),
        "only_shadow": _only_one_side_to_json(differences.only_new),
        "left_out": dict(left_out),
    }


def _example_to_json(example: Example) -> dict[str, Any]:
    return {"old": example.old, "new": example.new, "line": example.line.decode("utf-8", "replace")}


def _only_one_side_to_json(tally: Tally) -> dict[str, Any]:
    def to_json(example: OnlyOne) -> dict[str, Any]:
        return {"id": example.doc_id, "line": example.line.decode("utf-8", "replace"), "why": example.why or None}

    return {"lines": tally.lines, "examples": [to_json(example) for example in tally.examples]}


def show_shadow(differences: Differences, left_out: Mapping[str, int], console: Console) -> None:
    """Print the differences by field, most lines first, with examples."""
    for name, tally in by_lines(differences.fields):
        console.print(Text(f"{name}: {format_count(tally.lines, 'line')}", style="bold"))
        for example in tally.examples:
            old, new = (_format_field(value) for value in (example.old, example.new))
            console.print(Text(f"  {old} → {new}"), soft_wrap=True)
            console.print(Text(f"    {_format_line(example.line)}", style="dim"), soft_wrap=True)
    _show_only("only as stored", differences.only_old, console)
    _show_only("only by these grammars", differences.only_new, console)
    _show_left_out(left_out, console)
    differ = f"{differences.differing:,} of them differ" if differences.any else "no difference"
    console.print(f"{format_count(differences.lines, 'line')} compared: {differ}. Nothing was written.")


def _show_only(readers: str, tally: Tally, console: Console) -> None:
    if not tally.lines:
        return
    console.print(Text(f"read {readers}: {format_count(tally.lines, 'line')}", style="bold"))
    for example in tally.examples:
        console.print(Text(f"    {_format_line(example.line)}", style="dim"), soft_wrap=True)
        if example.why:
            console.print(Text(f"      {format_value(example.why)}"), soft_wrap=True)


def _format_field(value: Any) -> str:
    return "nothing" if value is None else format_value(value, VALUE_CHARACTERS)


def _format_line(data: bytes) -> str:
    return format_value(data.decode("utf-8", "replace"), LINE_CHARACTERS)
