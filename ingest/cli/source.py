"""`perflog source`: what a source's samples become, checked against samples.json, and accepted after reading."""

from pathlib import Path

import click

from ingest import config
from ingest.core.fields import Schema, load_schema
from ingest.core.model import Problem
from ingest.core.samples import accepted, outcomes, read_by_two, write
from ingest.core.sources import Source, load_sources


@click.group("source")
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Another folder of sources.")
@click.pass_context
def command(context: click.Context, grammars: Path | None) -> None:
    """Work on a source, a folder under grammars/."""
    context.obj = grammars or config.load(context.obj).grammars


def _loaded(folder: Path) -> tuple[dict[str, Source], Schema]:
    schema = load_schema(folder / "fields.toml")
    return load_sources(folder, schema), schema


@command.command("check")
@click.pass_obj
def check(folder: Path) -> None:
    """Compare what every source's samples become with its samples.json. Exit code 65 if something differs."""
    sources, schema = _loaded(folder)
    wrong = [name for name, source in sources.items() if outcomes(source, schema, accepted(source)) != accepted(source)]
    wrong_words = [f"the samples of {name} do not become what its samples.json says" for name in wrong]
    problems = wrong_words + read_by_two(sources, schema)
    if problems:
        raise Problem("; ".join(problems) + ".", "`perflog source accept NAME` writes what they become now.", 65)
    click.echo(f"{len(sources)} sources: samples become what samples.json says, and none is read by two.")


@command.command("accept")
@click.argument("name")
@click.pass_obj
def accept(folder: Path, name: str) -> None:
    """Write NAME's samples.json anew. Read the difference before you commit it: it is the source's promise."""
    sources, schema = _loaded(folder)
    if name not in sources:
        raise Problem(f"There is no source `{name}`.", f"There are: {', '.join(sources)}.", 64)
    source = sources[name]
    found = outcomes(source, schema, accepted(source))
    path = write(source, found)
    rows = [row for file in found["files"].values() for row in file]
    counts = {word: sum(row["outcome"] == word for row in rows) for word in ("document", "reject", "ignored")}
    told = ", ".join(f"{count} {word}" for word, count in counts.items())
    click.echo(f"{path}: {told}. Now read it.")
