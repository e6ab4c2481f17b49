"""Imports hosts and expected tests from a file or an HTTPS address into the inventory. Safe to repeat.

What an origin no longer says is taken back. Documents are written first, tombstones last, so that an import that is
interrupted has lost nothing; the next one finishes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingest.config.settings import Settings
from ingest.core.bulk import index_document
from ingest.core.fields import Schema
from ingest.core.inventory.documents import HOSTS, TESTS, Import, documents, tombstone
from ingest.core.inventory.expected import Description
from ingest.core.inventory.reading import read_description
from ingest.core.model import Document, ExitCode, Problem
from ingest.edge.elasticsearch.kinds.inventory import open_inventory
from ingest.edge.http.fetch import FetchLimits, fetch, is_url
from ingest.pipeline.preflight import demand_template
from ingest.pipeline.sink.wiring import Sink


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did: hosts and tests that it described, documents written and taken back, warnings."""

    hosts: int
    tests: int
    written: int
    retracted: int
    warnings: tuple[str, ...]
    warned: int


def describe(location: str, limits: FetchLimits) -> Description:
    """Read a file or an address; `Problem` 65 (not readable as any format), 66 (no such file), 69 (no answer)."""
    return read_description(_read(location, limits), location, lambda url: fetch(url, limits))


def _read(location: str, limits: FetchLimits) -> bytes:
    if is_url(location):
        return fetch(location, limits)
    try:
        data = Path(location).read_bytes()
    except OSError as error:
        raise Problem(f"{location} cannot be read: {error.strerror}.", "", ExitCode.NO_INPUT) from error
    if len(data) > limits.size_bytes:
        raise Problem(f"{location} is larger than {limits.size_bytes:,} bytes.", "", ExitCode.BAD_DATA)
    return data


def import_description(
    settings: Settings, schema: Schema, description: Description, source: Import, progress: Callable[[int, int], None]
) -> ImportReport:
    """Write the documents of a description, and take back what its origin said before and says no longer."""
    for kind in (HOSTS, TESTS):
        demand_template(settings, schema, kind)
    made = list(documents(description, source, schema))
    with open_inventory(settings.elasticsearch) as stored, Sink(settings) as sink:
        stored.refresh()
        gone = stored.ids_of(source.facility, source.origin) - {(document.index, document.id) for document in made}
        written: list[Document] = [*made, *(tombstone(index, doc_id, source) for index, doc_id in sorted(gone))]
        at_once = settings.delivery.bulk_documents
        for start in range(0, len(written), at_once):
            sink.rewriter.write([index_document(document) for document in written[start : start + at_once]])
            progress(min(start + at_once, len(written)), len(written))
        stored.refresh()
    return ImportReport(
        len(description.hosts),
        len(description.tests),
        len(made),
        len(gone),
        tuple(description.warnings),
        description.warned,
    )
