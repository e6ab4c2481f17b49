"""The Elasticsearch edge against the real node: item results, compare-and-swap, templates, failures."""

import gc
import os
import socket
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import orjson
import pytest
from elasticsearch import ApiError, Elasticsearch

from ingest.cli.bench.baselines import recorded_bodies
from ingest.config.paths import data_folder
from ingest.config.settings import Elasticsearch as ElasticsearchSettings
from ingest.core import bulk
from ingest.core.bulk import BulkAction
from ingest.core.bulk_result import CREATED, StoredVersion
from ingest.core.fields import Field, Schema, load_schema
from ingest.core.model import Problem
from ingest.edge.elasticsearch.client import NO_SHARD, client
from ingest.edge.elasticsearch.index_templates import leaves, open_templates
from ingest.edge.elasticsearch.store import ElasticsearchStore
from ingest.edge.errors import ServiceBlocked, Unavailable
from ingest.edge.local.stack import Running
from tests.conftest import free_port

pytestmark = pytest.mark.stack
_NUMBERS = count(1)


@pytest.fixture
def settings(stack: Running) -> ElasticsearchSettings:
    """Settings for the session's node."""
    return ElasticsearchSettings(url=(stack.elasticsearch,))


@pytest.fixture
def connected(settings: ElasticsearchSettings) -> Iterator[Elasticsearch]:
    """An open client."""
    opened = client(settings)
    yield opened
    opened.close()


@pytest.fixture
def index(connected: Elasticsearch) -> str:
    """A strict index of one's own."""
    name = f"edge-{os.getpid()}-{next(_NUMBERS)}"
    kafka = {"dynamic": "strict", "properties": {"kafka": {"type": "keyword"}}}
    mappings = {"dynamic": "strict", "properties": {"n": {"type": "long"}, "provenance": kafka}}
    connected.indices.create(index=name, mappings=mappings)
    return name


@pytest.fixture
def schema() -> Schema:
    """The shipped list of fields, under kinds of one's own so that no other test's templates are touched."""
    shipped = load_schema(data_folder("grammars") / "fields.toml")
    name = f"edge{os.getpid()}x{next(_NUMBERS)}"
    kind = replace(shipped.kinds["marks"], name=name)
    fields = {f.name: replace(f, kinds=(name,)) for f in shipped.of("marks").values()}
    return Schema(shipped.version, {name: kind}, fields)


def act(index: str, doc_id: str, version: int | None, body: object) -> BulkAction:
    """One action: with an external version, or a create."""
    json = orjson.dumps(body).decode()
    return bulk.create(index, doc_id, json) if version is None else bulk.index(index, doc_id, version, json)


def test_each_item_has_a_result_of_its_own(connected: Elasticsearch, index: str) -> None:
    """New, the same, newer, older, refused for a field, refused for a type, created twice, no index: in order."""
    store = ElasticsearchStore(connected)
    actions = [
        act(index, "a", 5, {"n": 1}),
        act(index, "a", 5, {"n": 1}),
        act(index, "a", 6, {"n": 2}),
        act(index, "a", 4, {"n": 0}),
        act(index, "b", 1, {"other": 1}),
        act(index, "c", 1, {"n": "many"}),
        act(index, "d", None, {"n": 1}),
        act(index, "d", None, {"n": 2}),
        act("edge-nowhere", "e", 1, {"n": 1}),
    ]

    results = store.bulk(actions)

    assert [result.status for result in results] == [201, 409, 200, 409, 400, 400, 201, 409, 404]
    assert [result.result for result in results[:3]] == ["created", "", "updated"]
    assert results[4].error == "strict_dynamic_mapping_exception"
    assert results[5].error == "document_parsing_exception"
    assert "many" in results[5].reason
    assert results[8].error == "index_not_found_exception"
    assert connected.get(index=index, id="a")["_source"] == {"n": 2}


def test_item_results_of_idempotent_writes_are_requested_only_after_a_failure(
    connected: Elasticsearch, index: str
) -> None:
    """No failure: CREATED, whatever was stored. One failure: each item's result, in order; the others are stored.

    One request if all items succeed, a second one if an item failed, and after that one request that asks for the
    results of its items at once.
    """
    store = ElasticsearchStore(connected)
    old, new = (act(index, "a", version, {"n": version}) for version in (5, 6))
    bad = act(index, "b", 1, {"other": 1})

    with recorded_bodies() as bodies:
        assert store.rewrite([old, act(index, "c", 1, {"n": 1})]) == [CREATED, CREATED]
        assert store.rewrite([new]) == [CREATED]
        assert len(bodies) == 2
        assert [result.status for result in store.rewrite([old, bad, act(index, "d", 1, {"n": 4})])] == [409, 400, 409]
        assert len(bodies) == 4
        assert [result.status for result in store.rewrite([old, act(index, "e", 1, {"n": 5})])] == [409, 201]
        assert [result.status for result in store.rewrite([act(index, "a", 7, {"n": 7})])] == [200]
        assert len(bodies) == 6
        assert store.rewrite([act(index, "f", 1, {"n": 1})]) == [CREATED]
        assert store.rewrite([]) == []
    assert [connected.get(index=index, id=doc_id)["_source"]["n"] for doc_id in "acdef"] == [7, 1, 4, 5, 1]


def test_a_search_waits_for_an_index_that_is_just_being_created(
    connected: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its shard starts half a second later; if it never starts, the error of the server is raised."""
    index = f"edge-starting-{os.getpid()}"
    nowhere = {"index.routing.allocation.require._name": "nobody"}
    connected.indices.create(index=index, settings=nowhere, wait_for_active_shards="0")

    def start() -> None:
        time.sleep(0.5)
        connected.indices.put_settings(index=index, settings={next(iter(nowhere)): None})

    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(start)
        assert connected.search(index=index)["hits"]["total"]["value"] == 0
        started.result()
    assert connected.count(index=index)["count"] == 0

    connected.indices.delete(index=index)
    connected.indices.create(index=index, settings=nowhere, wait_for_active_shards="0")
    monkeypatch.setattr("ingest.edge.elasticsearch.client.STARTING_S", 0.2)
    with pytest.raises(ApiError) as raised:
        connected.search(index=index)
    assert raised.value.status_code == NO_SHARD
    connected.indices.delete(index=index)


def test_an_equal_epoch_may_correct_its_ledger_and_a_lower_one_is_refused(connected: Elasticsearch, index: str) -> None:
    """The fence: external_gte."""
    store = ElasticsearchStore(connected)

    epochs = enumerate([3, 3, 2, 4])
    results = [store.bulk([bulk.index_gte(index, "l", epoch, f'{{"n":{n}}}')])[0] for n, epoch in epochs]

    assert [result.status for result in results] == [201, 200, 409, 200]
    assert connected.get(index=index, id="l")["_source"] == {"n": 3}


def test_origins_are_seen_before_any_refresh(connected: Elasticsearch, index: str) -> None:
    """In order; None for a document without one, for a missing document and for a missing index."""
    store = ElasticsearchStore(connected)
    store.bulk([act(index, "a", 1, {"provenance": {"kafka": "t/0/1"}}), act(index, "b", 1, {"n": 1})])

    versions = store.versions([(index, "missing"), (index, "a"), (index, "b"), ("edge-nowhere", "a")])

    assert versions == [None, StoredVersion("t/0/1", 1), StoredVersion(None, 1), None]
    assert store.versions([]) == []
    assert store.bulk([]) == []


def test_an_epoch_is_taken_only_once_however_many_workers_raise_it_at_once(connected: Elasticsearch) -> None:
    """Eight workers, forty assignments: the epochs are 1 to 40, none twice."""
    store = ElasticsearchStore(connected)
    index = f"edge-epochs-{os.getpid()}"
    connected.indices.create(index=index)
    body = {"perf": {"ledger": {"group": "g"}}}

    with ThreadPoolExecutor(8) as pool:
        epochs = list(pool.map(lambda _: store.raise_epoch(index, "g/t/0", body), range(40)))

    assert sorted(epochs) == list(range(1, 41))
    assert connected.get(index=index, id="g/t/0")["_source"] == {"perf": {"ledger": {"group": "g", "epoch": 40}}}
    assert body == {"perf": {"ledger": {"group": "g"}}}


def test_a_template_gives_new_indices_of_its_kind_the_strict_mapping(
    settings: ElasticsearchSettings, connected: Elasticsearch, schema: Schema
) -> None:
    """An index of the kind is created by its first document; putting the template again changes nothing."""
    (kind,) = schema.kinds
    with open_templates(settings) as templates:
        done = [templates.put(kind, schema), templates.put(kind, schema)]
        versions = templates.versions()
    store = ElasticsearchStore(connected)

    (stored, refused) = store.bulk(
        [
            act(f"perf-{kind}-als-2016.02", "a", 1, {"perf": {"facility": "als"}}),
            act(f"perf-{kind}-als-2016.02", "b", 1, {"perf": {"facilty": "als"}}),
        ]
    )

    assert done == ["created", "unchanged"]
    assert versions[kind] == schema.version
    assert (stored.status, refused.error) == (201, "strict_dynamic_mapping_exception")
    mappings = connected.indices.get_mapping(index=f"perf-{kind}-als-2016.02").body
    assert leaves(mappings[f"perf-{kind}-als-2016.02"]["mappings"]) == leaves(schema.mappings(kind))
    connected.indices.delete_index_template(name=f"perf-{kind}")


def test_a_new_field_reaches_old_indices_and_a_changed_type_is_refused(
    settings: ElasticsearchSettings, connected: Elasticsearch, schema: Schema
) -> None:
    """Mappings only grow; the error names the index, the field and both types."""
    (kind,) = schema.kinds
    index = f"perf-{kind}-als"
    new = Field("perf.edge.new_s", "double", (kind,), "new")
    extended = Schema(schema.version + 1, schema.kinds, {**schema.fields, new.name: new})
    changed = Schema(schema.version + 1, schema.kinds, {**schema.fields, new.name: replace(new, type="keyword")})
    connected.indices.create(index=index, mappings=schema.mappings(kind))

    with open_templates(settings) as templates:
        added = [templates.extend(kind, extended), templates.extend(kind, extended)]

    assert added == [{index: ["perf.edge.new_s"]}, {}]
    assert connected.indices.get_mapping(index=index)[index]["mappings"]["dynamic"] == "strict"
    with pytest.raises(Problem, match=r"perf\.edge\.new_s as double") as caught, open_templates(settings) as templates:
        templates.extend(kind, changed)
    assert caught.value.exit_code == 65


def test_an_old_index_keeps_its_fields_as_they_are_when_new_ones_come(
    settings: ElasticsearchSettings, connected: Elasticsearch, schema: Schema
) -> None:
    """A field that the index made searchable stays searchable, though new indices leave that out."""
    (kind,) = schema.kinds
    index = f"perf-{kind}-als"
    mapping = schema.mappings(kind)
    assert mapping["properties"]["log"]["properties"]["offset"].pop("index") is False
    connected.indices.create(index=index, mappings=mapping)
    new = Field("perf.edge.new_s", "double", (kind,), "new", searched=False)
    extended = Schema(schema.version + 1, schema.kinds, {**schema.fields, new.name: new})

    with open_templates(settings) as templates:
        added = templates.extend(kind, extended)

    assert added == {index: ["perf.edge.new_s"]}
    properties = connected.indices.get_mapping(index=index)[index]["mappings"]["properties"]
    assert "index" not in properties["log"]["properties"]["offset"]
    assert properties["perf"]["properties"]["edge"]["properties"]["new_s"]["index"] is False


def test_the_features_that_a_cluster_lacks_are_listed(settings: ElasticsearchSettings) -> None:
    """The bare jars have no lifecycle management and no security; each comes with its consequence."""
    with open_templates(settings) as templates:
        features = templates.features()

    assert not features["lifecycle management"][0]
    assert not features["security"][0]
    assert all(without for _, without in features.values())


def test_an_unreachable_node_is_a_problem_for_commands_and_unavailable_for_run() -> None:
    """`Problem` 69 in setup, `Unavailable` in the loop, which retries."""
    unreachable = ElasticsearchSettings(url=(f"http://127.0.0.1:{free_port()}",))
    store = ElasticsearchStore(client(unreachable))

    with pytest.raises(Problem, match="does not answer") as caught, open_templates(unreachable):
        pass
    with pytest.raises(Unavailable):
        store.bulk([act("edge", "a", 1, {})])

    assert caught.value.exit_code == 69


@pytest.mark.parametrize("answers", ["refused", "silent", "refused twice"])
def test_a_failed_attempt_keeps_no_memory(answers: str) -> None:
    """The request is freed with its attempt, without the garbage collector: the node may be down for hours."""
    megabyte, attempts = [BulkAction("i", "d", "x" * 2**20)], 20
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if answers == "silent":
            listening.listen(2 * attempts)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        urls = (url, f"http://127.0.0.1:{free_port()}") if answers == "refused twice" else (url,)
        store = ElasticsearchStore(client(ElasticsearchSettings(url=urls, timeout_s=0.05)))
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(attempts):
                with pytest.raises(Unavailable):
                    store.bulk(megabyte)
            traced_bytes, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()

    assert traced_bytes < 2**20


def test_a_request_that_the_node_rejects_as_a_whole_blocks_the_service(connected: Elasticsearch, index: str) -> None:
    """An id of 600 bytes makes the whole request invalid: run waits, and dead-letters no document for it."""
    with pytest.raises(ServiceBlocked, match="too long"):
        ElasticsearchStore(connected).bulk([act(index, "x" * 600, 1, {"n": 1})])
