"""Runs and stages stored as a worker stores them: in bulk, with their own versions."""

from collections.abc import Iterable
from functools import cached_property

from elasticsearch import Elasticsearch

from ingest.core.bulk import BulkDocument, index_document
from ingest.edge.elasticsearch.store import ElasticsearchStore
from tests.support.world import World


class Stored(World):
    """A facility whose runs and stages are stored without a worker."""

    @cached_property
    def store(self) -> ElasticsearchStore:
        """The store that writes the documents."""
        return ElasticsearchStore(Elasticsearch(self.stack.elasticsearch))

    def put(self, documents: Iterable[BulkDocument]) -> None:
        """Write documents with their versions; each must be taken."""
        actions = [index_document(document) for document in documents]
        answers = self.store.bulk(actions)
        refused = [answer for answer in answers if answer.status not in (200, 201)]
        assert not refused, refused[0]
        self.client.indices.refresh(index=f"perf-*-{self.facility}*")
