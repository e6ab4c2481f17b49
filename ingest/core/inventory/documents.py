"""Hosts and expected tests as documents of kinds inventory and tests, and back."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ingest.core.fields import Schema
from ingest.core.ids import digest_id
from ingest.core.inventory.expected import Description, ExpectedTest
from ingest.core.inventory.host import Host
from ingest.core.model import Document
from ingest.core.timestamps import iso

HOSTS, TESTS = "inventory", "tests"


class Import(NamedTuple):
    """One import: whose indices it goes to, what it was read from, and when (unix ms), which is its version."""

    facility: str
    origin: str
    at_ms: int


def documents(description: Description, source: Import, schema: Schema) -> Iterator[Document]:
    """The documents of an import: one a host, one for each task and host that it starts from."""
    for host in description.hosts:
        yield _document(HOSTS, (host.name,), {"inventory": _host_fields(host)}, source, schema)
    for (task, kind, start), tests in _by_start(description.tests).items():
        destinations = sorted({test.destination for test in tests if test.destination})
        fields = {
            "task": task,
            "type": kind,
            "source": start,
            "destinations": destinations or None,
            "every_s": tests[0].every_s,
        }
        yield _document(TESTS, (task, kind, start), {"inventory": {}, "test": _known(fields)}, source, schema)


def tombstone(index: str, doc_id: str, source: Import) -> Document:
    """The document that takes back what an origin no longer says."""
    perf = {"facility": source.facility, "inventory": {"origin": source.origin}, "retracted": True}
    return Document(index, doc_id, source.at_ms, {"@timestamp": iso(source.at_ms), "perf": perf})


def _document(kind: str, parts: tuple[str, ...], perf: dict[str, Any], source: Import, schema: Schema) -> Document:
    doc_id = digest_id(*(part.encode() for part in (source.origin, *parts)))
    own = {**perf, "facility": source.facility, "inventory": {**perf["inventory"], "origin": source.origin}}
    body = {"@timestamp": iso(source.at_ms), "perf": own}
    return Document(schema.index(kind, source.facility), doc_id, source.at_ms, body)


def _by_start(tests: Iterable[ExpectedTest]) -> dict[tuple[str, str, str], list[ExpectedTest]]:
    by_start: dict[tuple[str, str, str], list[ExpectedTest]] = {}
    for test in tests:
        by_start.setdefault((test.task, test.type, test.source), []).append(test)
    return by_start


def _host_fields(host: Host) -> dict[str, Any]:
    return _known(
        {
            "host": host.name,
            "addresses": list(host.addresses),
            "site": host.site,
            "facility": host.facility,
            "roles": list(host.roles) or None,
            "display_name": host.display_name,
            "latitude_deg": host.latitude,
            "longitude_deg": host.longitude,
            "dmz": host.dmz,
        }
    )


def _known(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def host_of(body: Mapping[str, Any]) -> Host:
    """The host of a document of kind inventory."""
    fields = body["perf"]["inventory"]
    return Host(
        tuple(fields["addresses"]),
        fields.get("site"),
        fields.get("facility"),
        tuple(fields.get("roles", ())),
        fields.get("display_name"),
        fields.get("latitude_deg"),
        fields.get("longitude_deg"),
        fields.get("dmz"),
    )


def expected_tests(body: Mapping[str, Any]) -> Iterator[ExpectedTest]:
    """The expected tests of a document of kind tests."""
    fields = body["perf"]["test"]
    for destination in fields.get("destinations") or (None,):
        yield ExpectedTest(fields["task"], fields["type"], fields["source"], destination, fields.get("every_s"))
