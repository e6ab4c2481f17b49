"""`perflog explain`: which source reads a line, which token became which field; where and why it was rejected."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ingest.cli.console import open_console, write_json
from ingest.cli.options import (
    check_facility,
    parse_time,
    parse_zone,
    prefix_option,
    select_sources,
    to_message,
    with_options,
)
from ingest.cli.sources.explain_text import show
from ingest.config.load import load_settings
from ingest.core.authoring.explain import Explainer
from ingest.core.authoring.explanation import Explanation, Filled, RejectExplanation, Token
from ingest.core.authoring.file_framing import framing_of_file
from ingest.core.decode.decoder import Decoder
from ingest.core.fields import load_schema
from ingest.core.model import ExitCode, Intake
from ingest.core.sources.framing import Frame, frames
from ingest.core.sources.loader import load_sources
from ingest.edge.clock import now_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainOptions:
    """The line that `perflog explain` explains (`-`: standard input), and how it is read."""

    line: str
    source_name: str | None
    facility: str
    received: str | None
    zone: str | None
    prefix: str
    grammars: Path | None
    as_json: bool


@click.command("explain")
@click.argument("line", default="-")
@click.option("--source", "source_name", help="Read as this source only. Default: every source is tried.")
@click.option("--facility", default="unknown", show_default=True, help="The facility that would have shipped it.")
@click.option("--received", help="When Kafka would have received it, ISO 8601 with zone. Default: now.")
@click.option("--zone", help="UTC offset of timestamps without a zone, as an intake declares it, e.g. -08:00.")
@prefix_option("  [default: none]")
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Read the sources from this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per message instead.")
@with_options(ExplainOptions)
def command(settings_path: Path | None, options: ExplainOptions) -> None:
    """Explain LINE, or standard input (`-`, the default): which token became which field, by which rule.

    A rejected line is shown with a caret where reading stopped, what was expected there, and the nearest form that
    would have been accepted. Exit code 0 if it becomes a document or is ignored, 1 if it is rejected.
    """
    settings = load_settings(settings_path)
    grammars = options.grammars or settings.grammars
    schema = load_schema(grammars / "fields.toml")
    sources = load_sources(grammars, schema)
    selected = select_sources(sources, options.source_name)
    zone = parse_zone(options.zone)
    intake = Intake(
        "explain", "explain", check_facility(options.facility), tuple(selected), zone=zone, prefix=options.prefix
    )
    received_ms = parse_time(options.received) if options.received else now_ms()
    explainer = Explainer(intake, sources, schema, settings.sites)
    data = sys.stdin.buffer.read() if options.line == "-" else options.line.encode("utf-8", "surrogateescape")
    console = open_console()
    rejected = False
    decoder = Decoder(intake, sources, schema, settings.sites)
    framing = framing_of_file(
        selected.values(), "-", data, lambda frame: decoder.decode(to_message(frame, received_ms), received_ms)
    )
    nonblank = [frame for frame in frames(data, framing) if frame.data.strip()] or [Frame(1, 0, data)]
    for frame in nonblank:
        explanation = explainer.explain(to_message(frame, received_ms))
        if options.as_json:
            write_json(explanation_to_json(explanation, frame.line))
        else:
            show(explanation, frame.line, console)
        rejected = rejected or explanation.outcome == "reject"
    sys.stdout.flush()
    sys.exit(ExitCode.FINDINGS if rejected else ExitCode.DONE)


def explanation_to_json(explanation: Explanation, line: int) -> dict[str, Any]:
    """Return an explanation as one JSON object."""
    return {
        "outcome": explanation.outcome,
        "line": line,
        "source": explanation.source,
        "text": explanation.text,
        "tokens": [_token_to_json(token) for token in explanation.tokens],
        "documents": [
            {
                "index": explained.document.index,
                "id": explained.document.id,
                "version": explained.document.version,
                "fields": [_field_to_json(field) for field in explained.fields],
                "flags": dict(explained.flags),
            }
            for explained in explanation.documents
        ],
        "rejects": [_rejection_to_json(rejection) for rejection in explanation.rejects],
        "ignored": [{"source": source, "shape": shape, "why": why} for source, shape, why in explanation.ignored],
    }


def _token_to_json(token: Token) -> dict[str, Any]:
    tree: dict[str, Any] = {"name": token.name, "text": token.text}
    if token.end:
        tree |= {"start": token.start, "end": token.end}
    fields = [{"document": number, "field": name} for number, name in token.fields]
    return tree | {"fields": fields, "flags": sorted({name for _, name in token.flags}), "checks": list(token.checks)}


def _field_to_json(field: Filled) -> dict[str, Any]:
    tree = {
        "field": field.field,
        "value": field.value,
        "from": list(field.tokens),
        "how": field.how,
        "rule": field.rule,
    }
    return tree | ({"unit": field.unit} if field.unit else {})


def _rejection_to_json(rejection: RejectExplanation) -> dict[str, Any]:
    reject, nearest = rejection.reject, rejection.nearest
    return {
        "source": rejection.source or None,
        "reason": reject.reason,
        "line": reject.line,
        "column": reject.column,
        "expected": [{"name": name, "words": words} for name, words in rejection.expected],
        "detail": reject.detail,
        "nearest": {"text": nearest.text, "how": nearest.how} if nearest else None,
    }
