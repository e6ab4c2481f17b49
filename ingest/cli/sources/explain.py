"""`perflog explain`: which source reads a line, which token became which field; where and why it was rejected."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from ingest.cli.console import console
from ingest.cli.options import chosen_of, facility_of, message_of, time_of, with_options, zone_of
from ingest.cli.sources.explain_text import show
from ingest.config.load import load_settings
from ingest.core.authoring.explain import Explainer
from ingest.core.authoring.explanation import Explanation, Filled, RejectExplanation, Token
from ingest.core.fields import load_schema
from ingest.core.model import ExitCode, Intake
from ingest.core.sources.framing import Frame, frames, framing_of
from ingest.core.sources.loader import load_sources
from ingest.core.sources.source import Source
from ingest.edge.clock import now_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainOptions:
    """The line that `perflog explain` explains (`-`: standard input), and how it is read."""

    line: str
    source_name: str | None
    facility: str
    received: str | None
    zone: str | None
    grammars: Path | None
    as_json: bool


@click.command("explain")
@click.argument("line", default="-")
@click.option("--source", "source_name", help="Read as this source only. Default: every source is asked.")
@click.option("--facility", default="unknown", show_default=True, help="The facility that would have shipped it.")
@click.option("--received", help="When Kafka would have received it, ISO 8601 with zone. Default: now.")
@click.option("--zone", help="UTC offset of timestamps without a zone, as an intake declares it, e.g. -08:00.")
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Another folder of sources.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per message instead.")
@with_options(ExplainOptions)
def command(settings_path: Path | None, options: ExplainOptions) -> None:
    """Explain LINE, or standard input (`-`, the default): which token became which field, by which rule.

    A rejected line is shown with a caret where reading stopped, what was expected there, and the nearest form that
    would
    have been accepted. Exit code 0 if it becomes a document or is ignored, 1 if it is rejected.
    """
    settings = load_settings(settings_path)
    grammars = options.grammars or settings.grammars
    schema = load_schema(grammars / "fields.toml")
    sources = load_sources(grammars, schema)
    chosen = chosen_of(sources, options.source_name)
    zone = zone_of(options.zone)
    intake = Intake("explain", "explain", facility_of(options.facility), tuple(chosen), zone=zone)
    received_ms = time_of(options.received) if options.received else now_ms()
    explainer = Explainer(intake, sources, schema, settings.sites)
    data = sys.stdin.buffer.read() if options.line == "-" else options.line.encode("utf-8", "surrogateescape")
    screen = console()
    refused = False
    for frame, explanation in _explained(explainer, list(chosen.values()), data, received_ms):
        if options.as_json:
            sys.stdout.buffer.write(orjson.dumps(as_row(explanation, frame.line)) + b"\n")
        else:
            show(explanation, frame.line, screen)
        refused = refused or explanation.outcome == "reject"
    sys.stdout.flush()
    sys.exit(ExitCode.FINDINGS if refused else ExitCode.DONE)


def _explained(
    explainer: Explainer, chosen: list[Source], data: bytes, received_ms: int
) -> Iterator[tuple[Frame, Explanation]]:
    """Explain frames like `try`: the whole as one message if a source accepts it, else line by line."""
    framings = {framing_of(source, "-", data) for source in chosen}
    if "message" in framings:
        whole = [(frame, explainer.explain(message_of(frame, received_ms))) for frame in frames(data, "message")]
        blocks = {source.name for source in chosen if framing_of(source, "-", data) == "message"}
        if framings == {"message"} or any(_is_block(explanation, blocks) for _, explanation in whole):
            yield from whole
            return
    lines = [frame for frame in frames(data, "line") if frame.data.strip()] or [Frame(1, 0, data)]
    yield from ((frame, explainer.explain(message_of(frame, received_ms))) for frame in lines)


def _is_block(explanation: Explanation, blocks: set[str]) -> bool:
    """Whether the whole is one message: read as one, or a damaged message of a source that reads blocks."""
    return bool(explanation.documents) or (
        not explanation.strange and any(one.source in blocks for one in explanation.refusals[:1])
    )


def as_row(found: Explanation, line: int) -> dict[str, Any]:
    """Return an explanation as one JSON object."""
    return {
        "outcome": found.outcome,
        "line": line,
        "source": found.source,
        "text": found.text,
        "tokens": [_token(token) for token in found.tokens],
        "documents": [
            {
                "index": told.document.index,
                "id": told.document.id,
                "version": told.document.version,
                "fields": [_field(field) for field in told.fields],
                "flags": dict(told.flags),
            }
            for told in found.documents
        ],
        "rejects": [_refusal(refusal) for refusal in found.refusals],
        "ignored": [{"source": source, "shape": shape, "why": why} for source, shape, why in found.ignored],
    }


def _token(token: Token) -> dict[str, Any]:
    row: dict[str, Any] = {"name": token.name, "text": token.text}
    if token.end:
        row |= {"start": token.start, "end": token.end}
    fields = [{"document": number, "field": name} for number, name in token.fields]
    return row | {"fields": fields, "flags": sorted({name for _, name in token.flags}), "checks": list(token.checks)}


def _field(field: Filled) -> dict[str, Any]:
    row = {"field": field.field, "value": field.value, "from": list(field.tokens), "how": field.how, "rule": field.rule}
    return row | ({"unit": field.unit} if field.unit else {})


def _refusal(refusal: RejectExplanation) -> dict[str, Any]:
    reject, near = refusal.reject, refusal.nearest
    return {
        "source": refusal.source,
        "reason": reject.reason,
        "line": reject.line,
        "column": reject.column,
        "expected": [{"name": name, "words": words} for name, words in refusal.expected],
        "detail": reject.detail,
        "nearest": {"text": near.text, "how": near.how} if near else None,
    }
