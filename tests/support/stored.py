"""Runs and stages stored as a worker stores them: in bulk, with their own versions."""

from collections.abc import Iterable
from functools import cached_property

from elasticsearch import Elasticsearch

from ingest.core.bulk import index
from ingest.core.model import Document
from ingest.core.runs.derive import DerivedDocument
from ingest.edge.elasticsearch.store import ElasticsearchStore
from tests.support.world import World


class Stored(World):
    """A facility whose runs and stages are stored without a worker."""

    @cached_property
    def store(self) -> ElasticsearchStore:
        """The way in."""
        return ElasticsearchStore(Elasticsearch(self.stack.elasticsearch))

    def put(self, found: Iterable[DerivedDocument | Document]) -> None:
        """Write documents with their versions; each must be taken."""
        actions = [index(each.index, each.id, each.version, each.json) for each in found]
        answers = self.store.bulk(actions)
        refused = [answer for answer in answers if answer.status not in (200, 201)]
        assert not refused, refused[0]
        self.client.indices.refresh(index=f"perf-*-{self.facility}*")
