"""`perflog sources`: lists what can be read, and what it becomes."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from ingest.cli.console import echo, open_console, plain_table, write_json
from ingest.cli.format import NONE
from ingest.cli.options import select_sources
from ingest.config.load import load_settings
from ingest.core.authoring.catalogue import Entry, SourceField, entry_of, markdown
from ingest.core.fields import load_schema
from ingest.core.sources.loader import load_sources

MOST_PATHS = 6


@click.command("sources")
@click.argument("name", required=False)
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Read the sources from this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per source instead.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the table of grammars/README.md instead.")
@click.pass_obj
def command(
    settings_path: Path | None, /, name: str | None, grammars: Path | None, as_json: bool, as_markdown: bool
) -> None:
    """List what can be read; with NAME, everything about one source: its fields, their units and meaning, its flags."""
    folder = grammars or load_settings(settings_path).grammars
    schema = load_schema(folder / "fields.toml")
    selected = select_sources(load_sources(folder, schema), name)
    entries = [entry_of(source, schema, in_detail=name is not None) for source in selected.values()]
    if as_json:
        for entry in entries:
            write_json(_entry_to_json(entry))
        sys.stdout.buffer.flush()
    elif as_markdown:
        echo(markdown(entries), nl=False)
    elif name:
        _show_one(entries[0], open_console())
    else:
        _show_all(entries, open_console())


def _entry_to_json(entry: Entry) -> dict[str, Any]:
    fields = [
        {
            "field": entry_field.field.name,
            "type": entry_field.field.type,
            "unit": entry_field.field.unit,
            "doc": entry_field.field.doc,
            "from": entry_field.paths,
        }
        for entry_field in entry.fields
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


def _show_all(entries: Sequence[Entry], console: Console) -> None:
    table = plain_table()
    table.add_column("source", no_wrap=True, style="cyan")
    for column in ("reads", "a document is", "fields", "samples", "the same again by", "rev."):
        table.add_column(column, justify="right" if column in {"fields", "samples", "rev."} else "left")
    for entry in entries:
        samples = f"{sum(entry.outcomes.values()):,}"
        about = (entry.summary, entry.one, str(len(entry.fields)), samples, entry.identity, str(entry.revision))
        table.add_row(entry.name, *(Text(cell) for cell in about))
    console.print(table)
    console.print()
    for entry in entries:
        if entry.slow_because:
            console.print(
                Text(f"{entry.name} is read by Lark's own parser, which is slow: {entry.slow_because}.", style="yellow")
            )
    console.print(Text("perflog sources NAME      its fields, units and meaning", style="dim"))
    console.print(Text("perflog explain 'LINE'    which token of a line becomes which field", style="dim"))


def _show_one(entry: Entry, console: Console) -> None:
    console.print(Text.assemble((entry.name, "bold cyan"), f"  {entry.summary}"))
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
        console.print(Text.assemble((f"{name:18}", "bold"), words))
    console.print()
    table = plain_table()
    for column in ("field", "type", "unit", "from", "meaning"):
        table.add_column(column, no_wrap=column in {"field", "type", "unit"}, overflow="fold")
    for entry_field in entry.fields:
        cells = (
            entry_field.field.type,
            entry_field.field.unit or "",
            _describe_origin(entry_field),
            entry_field.field.doc,
        )
        table.add_row(Text(entry_field.field.name, style="cyan"), *(Text(cell) for cell in cells))
    console.print(table)
    if entry.flags:
        console.print()
    for flag, meaning in entry.flags.items():
        console.print(Text.assemble(("flag ", "bold"), (flag, "yellow"), f"  {meaning}"))


def _describe_origin(entry_field: SourceField) -> str:
    """Return the paths that a field is made from; the first few if there are many."""
    first_paths = ", ".join(entry_field.paths[:MOST_PATHS]) + (", …" if len(entry_field.paths) > MOST_PATHS else "")
    return first_paths or NONE
