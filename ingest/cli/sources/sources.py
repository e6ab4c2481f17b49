"""`perflog sources`: lists what can be read, and what it becomes."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.text import Text

from ingest.cli.console import console, plain_table
from ingest.cli.options import chosen_of
from ingest.config.load import load_settings
from ingest.core.authoring.catalogue import Entry, SourceField, entry_of, markdown
from ingest.core.fields import load_schema
from ingest.core.sources.loader import load_sources

MOST_PATHS = 6


@click.command("sources")
@click.argument("name", required=False)
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Another folder of sources.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per source instead.")
@click.option("--markdown", "as_markdown", is_flag=True, help="The table of grammars/README.md instead.")
@click.pass_obj
def command(
    settings_path: Path | None, /, name: str | None, grammars: Path | None, as_json: bool, as_markdown: bool
) -> None:
    """List what can be read; with NAME, everything about one source: its fields, their units and meaning, its flags."""
    folder = grammars or load_settings(settings_path).grammars
    schema = load_schema(folder / "fields.toml")
    chosen = chosen_of(load_sources(folder, schema), name)
    entries = [entry_of(source, schema, in_detail=name is not None) for source in chosen.values()]
    if as_json:
        for entry in entries:
            sys.stdout.buffer.write(orjson.dumps(_row(entry)) + b"\n")
        sys.stdout.buffer.flush()
    elif as_markdown:
        click.echo(markdown(entries), nl=False)
    elif name:
        _one(entries[0], console())
    else:
        _all(entries, console())


def _row(entry: Entry) -> dict[str, Any]:
    fields = [
        {
            "field": one.field.name,
            "type": one.field.type,
            "unit": one.field.unit,
            "doc": one.field.doc,
            "from": one.paths,
        }
        for one in entry.fields
    ]
    return {
        "source": entry.name,
        "reads": entry.summary,
        "kind": entry.kind,
        "document": entry.one,
        "reading": entry.reading,
        "slow_because": entry.slow_because or None,
        "framing": entry.framing,
        "identity": entry.identity,
        "revision": entry.revision,
        "max_bytes": entry.max_bytes,
        "samples": entry.outcomes,
        "flags": entry.flags,
        "fields": fields,
    }


def _all(entries: Sequence[Entry], screen: Console) -> None:
    table = plain_table()
    table.add_column("source", no_wrap=True, style="cyan")
    for column in ("reads", "a document is", "fields", "samples", "the same again by", "rev."):
        table.add_column(column, justify="right" if column in {"fields", "samples", "rev."} else "left")
    for entry in entries:
        samples = f"{sum(entry.outcomes.values()):,}"
        about = (entry.summary, entry.one, str(len(entry.fields)), samples, entry.identity, str(entry.revision))
        table.add_row(entry.name, *(Text(cell) for cell in about))
    screen.print(table)
    screen.print()
    for entry in entries:
        if entry.slow_because:
            screen.print(
                Text(f"{entry.name} is read by Lark itself, which is slow: {entry.slow_because}.", style="yellow")
            )
    screen.print(Text("perflog sources NAME      its fields, units and meaning", style="dim"))
    screen.print(Text("perflog explain 'LINE'    which token of a line becomes which field", style="dim"))


def _one(entry: Entry, screen: Console) -> None:
    screen.print(Text.assemble((entry.name, "bold cyan"), f"  {entry.summary}"))
    documents, rejects, ignored = (entry.outcomes[word] for word in ("document", "reject", "ignored"))
    reading = f"{entry.reading}: {entry.slow_because}" if entry.slow_because else entry.reading
    facts = {
        "reads": f"{entry.framing} of at most {entry.max_bytes:,} bytes, by {reading}",
        "a document is": f"{entry.one} (kind {entry.kind})",
        "the same again by": entry.identity,
        "revision": str(entry.revision),
        "samples": f"{documents} documents, {rejects} rejects, {ignored} ignored",
    }
    for name, words in facts.items():
        screen.print(Text.assemble((f"{name:18}", "bold"), words))
    screen.print()
    table = plain_table()
    for column in ("field", "type", "unit", "from", "meaning"):
        table.add_column(column, no_wrap=column in {"field", "type", "unit"}, overflow="fold")
    for one in entry.fields:
        cells = (one.field.type, one.field.unit or "", _from(one), one.field.doc)
        table.add_row(Text(one.field.name, style="cyan"), *(Text(cell) for cell in cells))
    screen.print(table)
    if entry.flags:
        screen.print()
    for flag, meaning in entry.flags.items():
        screen.print(Text.assemble(("flag ", "bold"), (flag, "yellow"), f"  {meaning}"))


def _from(filled: SourceField) -> str:
    """Return the paths that a field is made from; the first few if there are many."""
    few = ", ".join(filled.paths[:MOST_PATHS]) + (", …" if len(filled.paths) > MOST_PATHS else "")
    return few or "–"
