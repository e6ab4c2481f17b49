"""Compare-and-swap of single documents on the real node."""

import os
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from ingest.config.settings import Elasticsearch as ElasticsearchSettings
from ingest.core.model import ExitCode, Problem
from ingest.edge.elasticsearch.client import client
from ingest.edge.elasticsearch.documents import MAX_CONFLICTS, CasDocuments, CurrentDocument
from ingest.edge.local.stack import Running

pytestmark = pytest.mark.stack
_NUMBERS = count(1)


@pytest.fixture
def connected(stack: Running) -> Iterator[Elasticsearch]:
    """An open client."""
    opened = client(ElasticsearchSettings(url=(stack.elasticsearch,)))
    yield opened
    opened.close()


@pytest.fixture
def documents(connected: Elasticsearch) -> CasDocuments:
    """The documents of the node."""
    return CasDocuments(connected)


@pytest.fixture
def index(connected: Elasticsearch) -> str:
    """A strict index of one's own."""
    name = f"edge-documents-{os.getpid()}-{next(_NUMBERS)}"
    connected.indices.create(index=name, mappings={"dynamic": "strict", "properties": {"n": {"type": "long"}}})
    return name


def test_a_document_is_created_once_and_changed_only_as_it_was_read(documents: CasDocuments, index: str) -> None:
    """The second creation and the change of an outdated version write nothing and return None."""
    first = documents.create(index, "a", {"n": 1})
    assert first is not None
    assert documents.create(index, "a", {"n": 5}) is None

    second = documents.change(first, {"n": 2})

    assert second is not None
    assert documents.change(first, {"n": 7}) is None
    assert documents.get(index, "a") == second
    assert documents.get(index, "b") is None
    assert documents.get(f"{index}-nowhere", "a") is None


def test_an_update_is_computed_anew_when_somebody_else_wrote_in_between(documents: CasDocuments, index: str) -> None:
    """First another creation, then another change gets in between: nothing of them is overwritten."""
    seen: list[int | None] = []

    def add_one(stored: CurrentDocument | None) -> dict[str, Any]:
        seen.append(None if stored is None else stored.value("n"))
        if len(seen) == 1:
            documents.create(index, "a", {"n": 10})
        elif len(seen) == 2 and stored is not None:
            documents.change(stored, {"n": 20})
        return {"n": (stored.value("n") if stored else 0) + 1}

    written = documents.update(index, "a", add_one)

    assert seen == [None, 10, 20]
    assert written == documents.get(index, "a")
    assert written.body == {"n": 21}


def test_fields_are_merged_into_the_newest_documents(documents: CasDocuments, index: str) -> None:
    """One document is outdated and read again, one is deleted meanwhile, one is as it was read."""
    stored = [documents.create(index, doc_id, {"n": 1}) for doc_id in "abc"]
    outdated, deleted, current = [document for document in stored if document is not None]
    documents.change(outdated, {"n": 5})
    documents.bulk_statuses([{"delete": {"_index": index, "_id": "b"}}], "documents could not be deleted")

    left = documents.merge(
        [outdated, deleted, current], lambda n, document: {"n": document.value("n") + 10 * (n + 1)}, "not merged"
    )

    assert left == []
    merged = [documents.get(index, doc_id) for doc_id in "abc"]
    assert [document.body["n"] if document else None for document in merged] == [15, None, 31]


def test_a_document_that_is_always_written_by_somebody_else_is_returned(documents: CasDocuments, index: str) -> None:
    """It gives up after MAX_CONFLICTS rounds; the other writer's document stays."""
    mine = documents.create(index, "a", {"n": 0})
    assert mine is not None

    def interfere(_: int, document: CurrentDocument) -> dict[str, Any]:
        documents.change(document, {"n": document.value("n") + 1})
        return {"n": -1}

    left = documents.merge([mine], interfere, "not merged")

    assert [document.id for document in left] == ["a"]
    current = documents.get(index, "a")
    assert current is not None
    assert current.body == {"n": MAX_CONFLICTS}


def test_an_update_that_the_node_refuses_is_a_problem_with_its_reason(documents: CasDocuments, index: str) -> None:
    """Exit code 69, and the field that is not declared."""
    stored = documents.create(index, "a", {"n": 1})
    assert stored is not None

    with pytest.raises(Problem, match=r"1 documents could not be marked: .*other") as raised:
        documents.merge([stored], lambda *_: {"other": 1}, "documents could not be marked")

    assert raised.value.exit_code == ExitCode.UNAVAILABLE
