"""`perflog lint`: for each place that prints lines, what its lines cost in information, and one line of shell to mend it."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest import config
from ingest.cli.asked import bytes_of, chosen_of, message_of, zone_of
from ingest.cli.screen import console, visible
from ingest.core.fields import load_schema
from ingest.core.flow import Flow
from ingest.core.framing import frames, framing_of
from ingest.core.lint import Finding, Linter, Site
from ingest.core.lint_rules import Rule, load_rules
from ingest.core.model import Intake
from ingest.core.parse import GrammarReader
from ingest.core.sources import Source, load_sources


@click.command("lint")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--source", "source_name", help="Read as this source only. Default: every source of text.")
@click.option("--zone", help="UTC offset of stamps that name none, as an intake declares it, e.g. -08:00.")
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Another folder of sources.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a finding instead.")
@click.pass_obj
def command(settings_path: Path | None, /, files: Sequence[Path], as_json: bool, **options: str | Path | None) -> None:
    """Say what the lines of FILES (`-`: standard input) cost in information, place by place, and how to mend it.

    Lines that no source knows are left out. Exit code 0 if there is nothing to mend, 1 if there is.
    """
    grammars = Path(options["grammars"] or config.load(settings_path).grammars)
    linter = _linter(grammars, options["source_name"], zone_of(options["zone"]))
    received_ms = time.time_ns() // 1_000_000
    for file in files:
        data = bytes_of(file)
        for frame in frames(data, _framing(list(linter.sources.values()), file.name, data)):
            if frame.data.strip():
                linter.add(str(file), frame.line, message_of(frame, received_ms))
    findings = list(linter.findings())
    if as_json:
        for finding in findings:
            sys.stdout.buffer.write(orjson.dumps(_row(finding)) + b"\n")
        sys.stdout.buffer.flush()
    else:
        _show(findings, linter.sites, linter.outcomes, console())
    sys.exit(1 if findings else 0)


def _linter(grammars: Path, name: str | Path | None, zone: int | None) -> Linter:
    schema = load_schema(grammars / "fields.toml")
    sources = load_sources(grammars, schema)
    chosen = chosen_of(sources, name)
    texts = {n: source for n, source in chosen.items() if isinstance(source.reader, GrammarReader) or name}
    flow = Flow(Intake("lint", "lint", "unknown", tuple(texts), zone=zone), sources, schema)
    return Linter(texts, flow, {n: load_rules(grammars, source, schema) for n, source in texts.items()})


def _framing(sources: Sequence[Source], name: str, data: bytes) -> str:
    """Blocks are messages: a file is one where a source of blocks reads it, else its lines are."""
    return "line"


def _row(finding: Finding) -> dict[str, Any]:
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
    }


def _show(
    findings: Sequence[Finding], sites: Mapping[Site, int], outcomes: Mapping[str, int], screen: Console
) -> None:
    lines = sum(sites.values())
    ignored = f"; {outcomes['ignored']:,} of somebody else left out" if outcomes.get("ignored") else ""
    screen.print(Text(f"{lines:,} lines, printed at {len(sites):,} places{ignored}", style="bold"))
    if not findings:
        screen.print("Nothing to mend." if lines else "No line that a source knows.")
        return
    rules = list(dict.fromkeys(finding.rule for finding in findings))
    screen.print()
    screen.print(_matrix(findings, sites, rules))
    for rule in rules:
        _told(rule, [finding for finding in findings if finding.rule == rule], screen)


def _matrix(findings: Sequence[Finding], sites: Mapping[Site, int], rules: Sequence[Rule]) -> Table:
    """Places down, rules across, lines in the cells."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("place", overflow="fold")
    table.add_column("lines", justify="right")
    for rule in rules:
        table.add_column(rule.name.replace("_", "\n"), justify="right", vertical="bottom")
    found = {(finding.site, finding.rule): finding.lines for finding in findings}
    for site, lines in sites.items():
        cells = [f"{found[site, rule]:,}" if (site, rule) in found else "·" for rule in rules]
        table.add_row(Text(visible(site.name)), f"{lines:,}", *cells)
    return table


def _told(rule: Rule, findings: Sequence[Finding], screen: Console) -> None:
    lines, of = sum(finding.lines for finding in findings), len(findings)
    screen.print()
    places = f"{of} place{'s' if of > 1 else ''}"
    screen.print(Text.assemble((rule.name, "bold yellow"), f"  {lines:,} lines at {places}. {rule.costs}"))
    for fix in dict.fromkeys(finding.fix for finding in findings):
        screen.print(Text(f"  {visible(fix)}", style="green"), soft_wrap=True)
