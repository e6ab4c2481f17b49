"""`perflog try`: what would these bytes become? One JSON object per line; the same core, no servers."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import click

from ingest.cli.console import echo, write_json
from ingest.cli.options import (
    check_facility,
    parse_time,
    parse_zone,
    prefix_option,
    read_bytes,
    select_sources,
    to_message,
    with_options,
)
from ingest.config.load import load_settings
from ingest.core.authoring.file_framing import framing_of_file
from ingest.core.authoring.rows import as_rows
from ingest.core.decode.decoder import Decoder
from ingest.core.fields import load_schema
from ingest.core.model import ExitCode, Intake, Outcomes
from ingest.core.sources.framing import Frame, frames
from ingest.core.sources.loader import load_sources
from ingest.core.sources.source import Source
from ingest.core.sources.wrapping.prefixes import NONE, SYSLOG, syslog_prefix
from ingest.core.sources.wrapping.wrappers import BARE, load_wrappers
from ingest.edge.clock import now_ms

GUESSED_LINES = 100
ASSUMED = (
    "perflog: The lines seem to stand behind a syslog prefix, and are read without it, as `run` reads those of an "
    '[[intake]] with `prefix = "syslog"`; --prefix none reads them as they stand.'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TryOptions:
    """The file that `perflog try` reads (`-`: standard input), and how."""

    file: Path
    source_name: str | None
    facility: str
    received: str | None
    zone: str | None
    wrapper: str
    prefix: str | None
    multiline: bool
    grammars: Path | None


@click.command("try")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--source", "source_name", help="Read as this source only. Default: every source is tried.")
@click.option("--facility", default="unknown", show_default=True, help="The facility that would have shipped it.")
@click.option("--received", help="When Kafka would have received it, ISO 8601 with zone. Default: now.")
@click.option("--zone", help="UTC offset of timestamps without a zone, as an intake declares it, e.g. -08:00.")
@click.option(
    "--wrapper", default=BARE, show_default=True, help="The wrapper that a forwarder put around each message."
)
@prefix_option("  [default: what the lines look like]", None)
@click.option("--multiline", is_flag=True, help="A message may hold several lines, as an intake declares it.")
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Read the sources from this folder.")
@with_options(TryOptions)
def command(settings_path: Path | None, options: TryOptions) -> None:
    """Read FILE (`-`: standard input) and write what each message becomes, as JSON, one object per line.

    Exit code 0 if nothing was rejected, 1 if something was.
    """
    settings = load_settings(settings_path)
    grammars = options.grammars or settings.grammars
    schema = load_schema(grammars / "fields.toml")
    sources = load_sources(grammars, schema)
    selected = select_sources(sources, options.source_name)
    data = read_bytes(options.file)
    received_ms = parse_time(options.received) if options.received else now_ms()
    facility, zone = check_facility(options.facility), parse_zone(options.zone)
    if options.multiline:
        selected = {name: source for name, source in selected.items() if source.framing == "line"}
    intake = Intake(
        "try", "try", facility, tuple(selected), zone=zone, wrapper=options.wrapper, multiline=options.multiline
    )
    wrappers = load_wrappers(grammars / "wrappers.toml")

    def decoder_of(prefix: str) -> Decoder:
        return Decoder(replace(intake, prefix=prefix), sources, schema, settings.sites, wrappers)

    decoder = decoder_of(options.prefix or NONE)
    if options.prefix is None and has_syslog_prefixes(decoder, frames(data, "line"), received_ms):
        echo(ASSUMED, err=True)
        decoder = decoder_of(SYSLOG)
    rejected = False
    for frame, decoded in _decode_file(decoder, selected, options.file.name, data, received_ms):
        for result in as_rows(decoded, frame.line):
            write_json(result)
        rejected = rejected or bool(decoded.rejects)
    sys.stdout.buffer.flush()
    sys.exit(ExitCode.FINDINGS if rejected else ExitCode.DONE)


def has_syslog_prefixes(decoder: Decoder, framed: Iterator[Frame], received_ms: int) -> bool:
    """Guess whether lines stand behind syslog prefixes: one does, and none of the first lines is read as it stands."""
    first = [to_message(frame, received_ms) for frame in islice(framed, GUESSED_LINES)]
    return any(syslog_prefix(message.data) for message in first) and not any(
        decoder.decode(message, received_ms).documents for message in first
    )


def _decode_file(
    decoder: Decoder, selected: Mapping[str, Source], name: str, data: bytes, received_ms: int
) -> Iterator[tuple[Frame, Outcomes]]:
    """Decode the file as one message or line by line, as its sources frame it."""
    framing = framing_of_file(
        selected.values(), name, data, lambda frame: decoder.decode(to_message(frame, received_ms), received_ms)
    )
    for frame in frames(data, framing):
        yield frame, decoder.decode(to_message(frame, received_ms), received_ms)
