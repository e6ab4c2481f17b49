"""`perflog source`: creates a source; checks its samples against samples.json, or accepts their new outcomes."""

import shutil
from pathlib import Path

import click

from ingest.cli.console import echo
from ingest.config.load import load_settings
from ingest.core.authoring.catalogue import BEGIN, entry_of, markdown, write_between
from ingest.core.authoring.lint_rules import load_rules
from ingest.core.authoring.samples import accepted, outcomes, read_by_two, write
from ingest.core.authoring.scaffold import READERS, files_of
from ingest.core.fields import Schema, load_schema
from ingest.core.model import ExitCode, Problem
from ingest.core.sources.loader import load_source, load_sources
from ingest.core.sources.source import Source


@click.group("source")
@click.option("--grammars", type=click.Path(path_type=Path, file_okay=False), help="Read the sources from this folder.")
@click.pass_context
def command(context: click.Context, grammars: Path | None) -> None:
    """Work on a source, a folder under grammars/."""
    context.obj = grammars or load_settings(context.obj).grammars


def _load(folder: Path) -> tuple[dict[str, Source], Schema]:
    schema = load_schema(folder / "fields.toml")
    return load_sources(folder, schema), schema


@command.command("check")
@click.pass_obj
def check(grammars_folder: Path) -> None:
    """Compare the outcomes of every source's samples with its samples.json. Exit code 65 if something differs."""
    sources, schema = _load(grammars_folder)
    for source in sources.values():
        load_rules(grammars_folder, source, schema)
    wrong = [name for name, source in sources.items() if outcomes(source, schema, accepted(source)) != accepted(source)]
    wrong_words = [f"the samples of {name} have other outcomes than its samples.json" for name in wrong]
    problems = wrong_words + read_by_two(sources, schema)
    if problems:
        raise Problem(
            "; ".join(problems) + ".",
            "If the new outcomes are right, `perflog source accept NAME` stores them.",
            ExitCode.BAD_DATA,
        )
    echo(f"{len(sources)} sources: every sample has the outcome of samples.json, and no sample is read by two sources.")


@command.command("new")
@click.argument("name")
@click.option(
    "--reader",
    type=click.Choice(READERS),
    default="grammar",
    show_default=True,
    help="What the source reads: text (grammar) or JSON.",
)
@click.pass_obj
def new(grammars_folder: Path, name: str, reader: str) -> None:
    """Make a folder for a new source NAME: it works at once, and its comments say what to change."""
    sources, schema = _load(grammars_folder)
    source_folder = grammars_folder / name
    try:
        files = files_of(name, reader)
    except ValueError as error:
        raise Problem(
            f"{error}.",
            "A name is at most 40 lower-case letters, digits and `_`, and begins with a letter.",
            ExitCode.USAGE,
        ) from error
    if source_folder.exists():
        raise Problem(f"{source_folder} exists already.", "Choose another name, or remove it first.", ExitCode.USAGE)
    try:
        sources[name] = _make(source_folder, files, sources, schema)
    except (OSError, Problem) as error:
        shutil.rmtree(source_folder, ignore_errors=True)
        if isinstance(error, Problem):
            raise
        reason = f"{source_folder} cannot be written: {error.strerror}."
        raise Problem(reason, "Name a folder of your own with --grammars.", ExitCode.NO_PERMISSION) from error
    echo(f"{source_folder}: {', '.join(sorted(path.name for path in source_folder.iterdir()))}")
    if _rewrite_readme(grammars_folder, dict(sorted(sources.items())), schema):
        echo("The table of sources in README.md beside them was rewritten.")
    echo(f"Change its files to fit your lines, then: perflog explain --source {name} - < my.log")


def _make(source_folder: Path, files: dict[str, str], sources: dict[str, Source], schema: Schema) -> Source:
    """Write the files and samples.json; `Problem` if another source reads its samples, or it reads theirs."""
    source_folder.mkdir()
    for file, text in files.items():
        (source_folder / file).write_text(text, encoding="utf-8")
    source = load_source(source_folder, schema)
    write(source, outcomes(source, schema, accepted(source)))
    shared = read_by_two({**sources, source.name: source}, schema)
    if shared:
        raise Problem("; ".join(shared) + ".", "Choose another name.", ExitCode.BAD_DATA)
    return source


def _rewrite_readme(folder: Path, sources: dict[str, Source], schema: Schema) -> bool:
    """Rewrite the table of sources in the folder's README, if it has one."""
    path = folder / "README.md"
    if not path.exists() or BEGIN not in path.read_text(encoding="utf-8"):
        return False
    write_between(path, markdown(entry_of(source, schema) for source in sources.values()))
    return True


@command.command("readme")
@click.pass_obj
def readme(grammars_folder: Path) -> None:
    """Rewrite the table of sources in the README.md of the folder."""
    sources, schema = _load(grammars_folder)
    if not _rewrite_readme(grammars_folder, sources, schema):
        raise Problem(f"There is no README.md with a table of sources in {grammars_folder}.", "", ExitCode.NO_INPUT)


@command.command("accept")
@click.argument("name")
@click.pass_obj
def accept(grammars_folder: Path, name: str) -> None:
    """Rewrite NAME's samples.json. Read the difference before you commit it: it is what the source promises."""
    sources, schema = _load(grammars_folder)
    if name not in sources:
        raise Problem(f"There is no source `{name}`.", f"There are: {', '.join(sources)}.", ExitCode.USAGE)
    source = sources[name]
    accepted_now = outcomes(source, schema, accepted(source))
    path = write(source, accepted_now)
    samples = [sample for file in accepted_now["files"].values() for sample in file]
    counts = {word: sum(sample["outcome"] == word for sample in samples) for word in ("document", "reject", "ignored")}
    summary = ", ".join(f"{count} {word}" for word, count in counts.items())
    _rewrite_readme(grammars_folder, sources, schema)
    echo(f"{path}: {summary}. Now read it.")
