"""What the core's tests share: the shipped schema and sources, and a decoder for any intake. No doubles."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from ingest.core.decode.decoder import Decoder
from ingest.core.fields import Schema, load_schema
from ingest.core.model import Intake
from ingest.core.sources.loader import load_sources
from ingest.core.sources.source import Source

# An example may take as long as it takes on a machine that does other things as well.
settings.register_profile("core", deadline=None)
settings.load_profile("core")
GRAMMARS = Path(__file__).parents[2] / "grammars"


@pytest.fixture(scope="session")
def schema() -> Schema:
    """The schema that ships."""
    return load_schema(GRAMMARS / "fields.toml")


@pytest.fixture(scope="session")
def sources(schema: Schema) -> dict[str, Source]:
    """The sources that ship."""
    return load_sources(GRAMMARS, schema)


@pytest.fixture
def flow_of(schema: Schema, sources: dict[str, Source]) -> Callable[..., Decoder]:
    """A decoder for an intake that reads the named sources."""

    def build(*names: str, zone: int | None = None, sites: dict[str, str] | None = None) -> Decoder:
        intake = Intake("test", "perf.als.test.v1", "als", names, workflow="als-tomography", zone=zone)
        return Decoder(intake, sources, schema, sites)

    return build
