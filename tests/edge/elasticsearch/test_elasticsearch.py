"""The Elasticsearch edge against the real node: what each answer is, and that a compare-and-swap is one."""

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

from ingest.cli.bench.baselines import Recorder
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
    found = client(settings)
    yield found
    found.close()


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


def test_each_item_has_an_answer_of_its_own(connected: Elasticsearch, index: str) -> None:
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

    answers = store.bulk(actions)

    assert [a.status for a in answers] == [201, 409, 200, 409, 400, 400, 201, 409, 404]
    assert [a.result for a in answers[:3]] == ["created", "", "updated"]
    assert answers[4].error == "strict_dynamic_mapping_exception"
    assert answers[5].error == "document_parsing_exception"
    assert "many" in answers[5].reason
    assert answers[8].error == "index_not_found_exception"
    assert connected.get(index=index, id="a")["_source"] == {"n": 2}


def test_what_may_be_written_twice_is_told_of_item_by_item_only_where_one_failed(
    connected: Elasticsearch, index: str
) -> None:
    """All well: created, whatever was there. One refused: each item's own answer, in order, and what went well stays.

    What Elasticsearch was sent: one request where all was well, a second one where an item had failed, and after that
    one that asks for its items at once.
    """
    store = Recorder(connected)
    old, new = (act(index, "a", version, {"n": version}) for version in (5, 6))
    bad = act(index, "b", 1, {"other": 1})

    assert store.rewrite([old, act(index, "c", 1, {"n": 1})]) == [CREATED, CREATED]
    assert store.rewrite([new]) == [CREATED]
    assert len(store.bodies) == 2
    assert [a.status for a in store.rewrite([old, bad, act(index, "d", 1, {"n": 4})])] == [409, 400, 409]
    assert len(store.bodies) == 4
    assert [a.status for a in store.rewrite([old, act(index, "e", 1, {"n": 5})])] == [409, 201]
    assert [a.status for a in store.rewrite([act(index, "a", 7, {"n": 7})])] == [200]
    assert len(store.bodies) == 6
    assert store.rewrite([act(index, "f", 1, {"n": 1})]) == [CREATED]
    assert store.rewrite([]) == []
    assert [connected.get(index=index, id=doc_id)["_source"]["n"] for doc_id in "acdef"] == [7, 1, 4, 5, 1]


def test_a_search_waits_for_an_index_that_is_just_being_made(
    connected: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its shard starts half a second later; one that never starts is told as what it is."""
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

    answers = [store.bulk([bulk.index_gte(index, "l", v, f'{{"n":{n}}}')])[0] for n, v in enumerate([3, 3, 2, 4])]

    assert [a.status for a in answers] == [201, 200, 409, 200]
    assert connected.get(index=index, id="l")["_source"] == {"n": 3}


def test_origins_are_seen_before_any_refresh(connected: Elasticsearch, index: str) -> None:
    """In order; None for a document without one, for a missing document and for a missing index."""
    store = ElasticsearchStore(connected)
    store.bulk([act(index, "a", 1, {"provenance": {"kafka": "t/0/1"}}), act(index, "b", 1, {"n": 1})])

    found = store.versions([(index, "missing"), (index, "a"), (index, "b"), ("edge-nowhere", "a")])

    assert found == [None, StoredVersion("t/0/1", 1), StoredVersion(None, 1), None]
    assert store.versions([]) == []
    assert store.bulk([]) == []


def test_epochs_are_taken_by_one_each_however_many_ask_at_once(connected: Elasticsearch) -> None:
    """Eight workers, forty assignments: the epochs are 1 to 40, none twice."""
    store = ElasticsearchStore(connected)
    index = f"edge-epochs-{os.getpid()}"
    connected.indices.create(index=index)
    body = {"perf": {"ledger": {"group": "g"}}}

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: store.raise_epoch(index, "g/t/0", body), range(40)))

    assert sorted(taken) == list(range(1, 41))
    assert connected.get(index=index, id="g/t/0")["_source"] == {"perf": {"ledger": {"group": "g", "epoch": 40}}}
    assert body == {"perf": {"ledger": {"group": "g"}}}


def test_a_template_makes_indices_come_up_strict_and_only_where_it_reaches(
    settings: ElasticsearchSettings, connected: Elasticsearch, schema: Schema
) -> None:
    """An index of the kind comes up by itself with the schema's mapping; a second put changes nothing."""
    (kind,) = schema.kinds
    with open_templates(settings) as known:
        done = [known.put(kind, schema), known.put(kind, schema)]
        versions = known.versions()
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
    found = connected.indices.get_mapping(index=f"perf-{kind}-als-2016.02").body[f"perf-{kind}-als-2016.02"]["mappings"]
    assert leaves(found) == leaves(schema.mappings(kind))
    connected.indices.delete_index_template(name=f"perf-{kind}")


def test_a_new_field_reaches_old_indices_and_a_changed_type_is_refused(
    settings: ElasticsearchSettings, connected: Elasticsearch, schema: Schema
) -> None:
    """Mappings only grow; what cannot be is said with index, field and both types."""
    (kind,) = schema.kinds
    index = f"perf-{kind}-als"
    new = Field("perf.edge.new_s", "double", (kind,), "new")
    grown = Schema(schema.version + 1, schema.kinds, {**schema.fields, new.name: new})
    changed = Schema(schema.version + 1, schema.kinds, {**schema.fields, new.name: replace(new, type="keyword")})
    connected.indices.create(index=index, mappings=schema.mappings(kind))

    with open_templates(settings) as known:
        added = [known.extend(kind, grown), known.extend(kind, grown)]

    assert added == [{index: ["perf.edge.new_s"]}, {}]
    assert connected.indices.get_mapping(index=index)[index]["mappings"]["dynamic"] == "strict"
    with pytest.raises(Problem, match=r"perf\.edge\.new_s as double") as caught, open_templates(settings) as known:
        known.extend(kind, changed)
    assert caught.value.exit_code == 65


def test_an_old_index_keeps_its_fields_as_they_are_when_new_ones_come(
    settings: ElasticsearchSettings, connected: Elasticsearch, schema: Schema
) -> None:
    """What was searched when the index was made is searched still, though new indices spare it."""
    (kind,) = schema.kinds
    index = f"perf-{kind}-als"
    mapping = schema.mappings(kind)
    assert mapping["properties"]["log"]["properties"]["offset"].pop("index") is False
    connected.indices.create(index=index, mappings=mapping)
    new = Field("perf.edge.new_s", "double", (kind,), "new", searched=False)
    grown = Schema(schema.version + 1, schema.kinds, {**schema.fields, new.name: new})

    with open_templates(settings) as known:
        added = known.extend(kind, grown)

    assert added == {index: ["perf.edge.new_s"]}
    found = connected.indices.get_mapping(index=index)[index]["mappings"]["properties"]
    assert "index" not in found["log"]["properties"]["offset"]
    assert found["perf"]["properties"]["edge"]["properties"]["new_s"]["index"] is False


def test_this_cluster_tells_what_it_lacks(settings: ElasticsearchSettings) -> None:
    """The bare jars have no lifecycle management and no security; both are said with what follows from it."""
    with open_templates(settings) as known:
        features = known.features()

    assert not features["lifecycle management"][0]
    assert not features["security"][0]
    assert all(without for _, without in features.values())


def test_a_node_that_is_not_there_is_a_sentence_for_people_and_a_retry_for_run() -> None:
    """The same trouble twice: `Problem` 69 in setup, `Unavailable` in the loop."""
    away = ElasticsearchSettings(url=(f"http://127.0.0.1:{free_port()}",))
    store = ElasticsearchStore(client(away))

    with pytest.raises(Problem, match="does not answer") as caught, open_templates(away):
        pass
    with pytest.raises(Unavailable):
        store.bulk([act("edge", "a", 1, {})])

    assert caught.value.exit_code == 69


@pytest.mark.parametrize("answers", ["refused", "silent"])
def test_an_attempt_that_failed_leaves_nothing_behind(answers: str) -> None:
    """However long the node is away, and however seldom the process collects: a request is gone with its attempt."""
    megabyte, attempts = [BulkAction("i", "d", "x" * 2**20)], 20
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if answers == "silent":
            listening.listen(2 * attempts)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        store = ElasticsearchStore(client(ElasticsearchSettings(url=(url,), timeout_s=0.05)))
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(attempts):
                with pytest.raises(Unavailable):
                    store.bulk(megabyte)
            left_bytes, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            gc.enable()

    assert left_bytes < 2**20


def test_a_request_that_the_node_refuses_is_not_blamed_on_a_document(connected: Elasticsearch, index: str) -> None:
    """An id of 600 bytes makes the whole request invalid: a refusal, which run waits with and does not dead-letter."""
    with pytest.raises(ServiceBlocked, match="too long"):
        ElasticsearchStore(connected).bulk([act(index, "x" * 600, 1, {"n": 1})])
