"""`perflog lint`: what information lines lose, script line by script line, with a shell line to fix each."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import open_console, plain_table, write_json
from ingest.cli.format import format_count
from ingest.cli.options import parse_zone, prefix_option, read_bytes, select_sources, to_message, with_options
from ingest.cli.zone_faults_text import describe_zone_fault, zone_fault_to_json
from ingest.config.load import load_settings
from ingest.core.authoring.file_framing import LINE, MESSAGE, framing_of_file
from ingest.core.authoring.lint import Finding, Linter, Site
from ingest.core.authoring.lint_rules import LintRule, load_rules
from ingest.core.decode.decoder import Decoder
from ingest.core.fields import load_schema
from ingest.core.model import ExitCode, Intake, Outcomes, Problem
from ingest.core.sources.framing import Frame, frames
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.loader import load_sources
from ingest.core.sources.source import Source
from ingest.edge.clock import now_ms
from ingest.telemetry import make_visible

MOST_HEADS = 6
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class LintOptions:
    """The files that `perflog lint` examines (`-`: standard input), and how they are read."""

    files: tuple[Path, ...]
    source_name: str | None
    zone: str | None
    prefix: str
    grammars: Path | None
    as_json: bool


@click.command("lint")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--source", "source_name", help="Read as this source only. Default: every source of text.")
@click.option("--zone", help="UTC offset of timestamps without a zone, as an intake declares it, e.g. -08:00.")
@prefix_option("  [default: none]")
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Read the sources from this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per finding instead.")
@with_options(LintOptions)
def command(settings_path: Path | None, options: LintOptions) -> None:
    """Report what information the lines of FILES (`-`: standard input) lose, by the place that prints them; and a fix.

    Lines that no source knows are left out. Exit code 0 if there is nothing to fix, 1 if there is.
    """
    grammars = options.grammars or load_settings(settings_path).grammars
    intake = Intake("lint", "lint", "unknown", (), zone=parse_zone(options.zone), prefix=options.prefix)
    linter, decoders = _make_linter(grammars, options.source_name, intake)
    received_ms = now_ms()
    for file in options.files:
        data = read_bytes(file)
        framing = _choose_framing(linter.sources.values(), decoders, file.name, data, received_ms)
        for frame in frames(data, framing):
            if frame.data.strip():
                linter.add(str(file), frame.line, to_message(frame, received_ms), decoders[framing])
    findings = list(linter.findings())
    if options.as_json:
        for finding in findings:
            write_json(_finding_to_json(finding))
        sys.stdout.buffer.flush()
    else:
        _show(findings, linter.sites, linter.outcomes, open_console())
    sys.exit(ExitCode.FINDINGS if findings else ExitCode.DONE)


def _make_linter(grammars: Path, name: str | None, intake: Intake) -> tuple[Linter, dict[str, Decoder]]:
    """Build the linter, and a decoder per framing: sources of lines read no blocks, sources of blocks no lines.

    `intake` lacks its sources.
    """
    schema = load_schema(grammars / "fields.toml")
    sources = load_sources(grammars, schema)
    selected = select_sources(sources, name)
    texts = {n: source for n, source in selected.items() if isinstance(source.reader, GrammarReader)}
    if not texts:
        raise Problem(
            f"The source {name} does not read text.",
            "`perflog lint` is for the lines that scripts print.",
            ExitCode.USAGE,
        )
    by_framing = {f: tuple(n for n, s in texts.items() if s.framing == f) for f in ("line", "message")}
    intakes = {f: replace(intake, sources=names) for f, names in by_framing.items() if names}
    rules = {n: load_rules(grammars, source, schema) for n, source in texts.items()}
    return Linter(texts, rules), {framing: Decoder(intake, sources, schema) for framing, intake in intakes.items()}


def _choose_framing(
    sources: Iterable[Source], decoders: Mapping[str, Decoder], file: str, data: bytes, received_ms: int
) -> str:
    """Whether a file is one block or many lines, as its sources frame it."""
    if len(decoders) == 1:
        return next(iter(decoders))

    def decode(frame: Frame) -> Outcomes:
        """Decode a frame by the sources of blocks, else by those of lines."""
        decoded = [decoders[framing].decode(to_message(frame, received_ms), received_ms) for framing in (MESSAGE, LINE)]
        return next((outcomes for outcomes in decoded if outcomes.documents), decoded[0])

    return framing_of_file(sources, file, data, decode)


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    return {
        "site": finding.site.name,
        "script": finding.site.script,
        "line": finding.site.line,
        "rule": finding.rule.name,
        "lines": finding.lines,
        "of": finding.of,
        "first": finding.first,
        "costs": finding.rule.costs,
        "fix": finding.fix,
        **({"zone_fault": zone_fault_to_json(finding.zone_fault)} if finding.zone_fault else {}),
    }


def _show(
    findings: Sequence[Finding], sites: Mapping[Site, int], outcomes: Mapping[str, int], console: Console
) -> None:
    lines = sum(sites.values())
    ignored = f"; {outcomes['ignored']:,} of somebody else left out" if outcomes.get("ignored") else ""
    console.print(
        Text(f"{format_count(lines, 'line')}, printed at {format_count(len(sites), 'place')}{ignored}", style="bold")
    )
    if not findings:
        console.print("Nothing to fix." if lines else "No source reads any of these lines.")
        return
    of_places = [finding for finding in findings if finding.zone_fault is None]
    rules = list(dict.fromkeys(finding.rule for finding in of_places))
    heads = {rule: rule.name.replace("_", "\n") for rule in rules}
    if len(rules) > MOST_HEADS:
        heads = dict(zip(rules, LETTERS, strict=False))
    console.print()
    console.print(_build_matrix(of_places, sites, heads))
    for rule in rules:
        head = f"{heads[rule]}  {rule.name}" if len(rules) > MOST_HEADS else rule.name
        _show_rule(head, [finding for finding in of_places if finding.rule == rule], console)
    _show_zone_faults([finding for finding in findings if finding.zone_fault], console)


def _show_zone_faults(findings: Sequence[Finding], console: Console) -> None:
    """Print hosts whose timestamps are in a wrong zone, what that costs, and how to check it."""
    for finding in findings[:1]:
        console.print()
        console.print(Text.assemble((finding.rule.name, "bold yellow"), f"  {finding.rule.costs}"))
    for finding in findings:
        if finding.zone_fault:
            console.print(Text(f"  {describe_zone_fault(finding.zone_fault)}"))
    for fix in dict.fromkeys(finding.fix for finding in findings):
        console.print(Text(f"  {make_visible(fix)}", style="green"), soft_wrap=True)


def _build_matrix(findings: Sequence[Finding], sites: Mapping[Site, int], heads: Mapping[LintRule, str]) -> Table:
    """Build the matrix: places down, rules across, numbers of lines in the cells."""
    table = plain_table()
    table.add_column("place", overflow="fold", vertical="bottom")
    table.add_column("lines", justify="right")
    for head in heads.values():
        table.add_column(head, justify="right", vertical="bottom", no_wrap=True)
    lines_at = {(finding.site, finding.rule): finding.lines for finding in findings}
    for site, lines in sites.items():
        cells = [f"{lines_at[site, rule]:,}" if (site, rule) in lines_at else "·" for rule in heads]
        table.add_row(Text(make_visible(site.name)), f"{lines:,}", *cells)
    return table


def _show_rule(head: str, findings: Sequence[Finding], console: Console) -> None:
    """Print what a rule's findings cost, and the shell line that fixes them: one for all places, or one for each."""
    lines = format_count(sum(finding.lines for finding in findings), "line")
    places = f"{lines} at {format_count(len(findings), 'place')}. "
    console.print()
    console.print(Text.assemble((head, "bold yellow"), f"  {places}{findings[0].rule.costs}"))
    for fix in dict.fromkeys(finding.fix for finding in findings):
        console.print(Text(f"  {make_visible(fix)}", style="green"), soft_wrap=True)
