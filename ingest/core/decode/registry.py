"""What the grammars folder tells: the schema, the sources and the wrappers. Reads that folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ingest.core.fields import Schema, load_schema
from ingest.core.sources.loader import load_sources
from ingest.core.sources.source import Source
from ingest.core.sources.wrappers import Wrapper, load_wrappers


@dataclass(frozen=True, slots=True)
class Registry:
    """The list of fields, the sources and the wrappers by name."""

    schema: Schema
    sources: Mapping[str, Source]
    wrappers: Mapping[str, Wrapper]


def load_registry(grammars: Path) -> Registry:
    """Read and check the folder; `Problem` (78) says what is wrong with it."""
    schema = load_schema(grammars / "fields.toml")
    return Registry(schema, load_sources(grammars, schema), load_wrappers(grammars / "wrappers.toml"))
