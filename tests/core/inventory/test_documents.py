"""Hosts and expected tests survive their documents; one document for each task and host that it starts from."""

from ingest.core.fields import Schema
from ingest.core.inventory.documents import HOSTS, TESTS, Import, documents, expected_tests, host_of
from ingest.core.inventory.expected import Description, ExpectedTest
from ingest.core.inventory.host import Host

WHEN = Import("als", "mesh.json", 1_772_700_000_000)
HOST = Host(("a.example", "2001:db8::a"), "ALS", "LBNL", ("dtn",), "A", 37.0, -122.0, dmz=False)
TASK = [
    ExpectedTest("tp", "throughput", "a.example", "b.example", 21_600.0),
    ExpectedTest("tp", "throughput", "a.example", "c.example", 21_600.0),
    ExpectedTest("clock", "clock", "a.example", None, None),
]


def test_hosts_and_tests_survive(schema: Schema) -> None:
    """Every field of both; a host of which only the address is known too."""
    made = list(documents(Description([HOST, Host(("b.example",))], TASK), WHEN, schema))
    hosts = [document for document in made if document.index == schema.index(HOSTS, "als")]
    tasks = [document for document in made if document.index == schema.index(TESTS, "als")]

    assert [host_of(document.body) for document in hosts] == [HOST, Host(("b.example",))]
    assert sorted((test for task in tasks for test in expected_tests(task.body)), key=str) == sorted(TASK, key=str)
    assert len(tasks) == 2


def test_every_field_is_declared(schema: Schema) -> None:
    """Nothing that a strict mapping would refuse."""
    for document in documents(Description([HOST], TASK), WHEN, schema):
        kind = document.index.split("-")[1]
        for part in ("inventory", "test"):
            for name in document.body["perf"].get(part, {}):
                assert f"perf.{part}.{name}" in schema.of(kind)


def test_a_mesh_of_300_hosts_is_some_hundred_documents(schema: Schema) -> None:
    """89,700 ordered pairs of three tasks are 900 documents, not one for each pair."""
    names = [f"h{n}.example" for n in range(300)]
    tests = [
        ExpectedTest(t, t, a, b, 60.0) for t in ("throughput", "rtt", "trace") for a in names for b in names if a != b
    ]
    description = Description([Host((name,)) for name in names], tests)

    assert sum(1 for _ in documents(description, WHEN, schema)) == 300 + 900
