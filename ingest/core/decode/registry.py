"""Load the grammars folder: the schema, the sources and the wrappers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ingest.core.fields import Schema, load_schema
from ingest.core.sources.loader import load_sources
from ingest.core.sources.source import Source
from ingest.core.sources.wrapping.wrappers import Wrapper, load_wrappers


@dataclass(frozen=True, slots=True)
class Registry:
    """The schema, and the sources and wrappers by name."""

    schema: Schema
    sources: Mapping[str, Source]
    wrappers: Mapping[str, Wrapper]


def load_registry(grammars: Path) -> Registry:
    """Read and check the folder; raise `Problem` (78) if something in it is wrong."""
    schema = load_schema(grammars / "fields.toml")
    return Registry(schema, load_sources(grammars, schema), load_wrappers(grammars / "wrappers.toml"))
