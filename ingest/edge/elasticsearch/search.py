"""Searches, counts and aggregations; a kind without an index has no documents, which is no error. Reads only."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch as Client
from elasticsearch.helpers import scan

from ingest.edge.elasticsearch.query import LACKING, MOST, Clause

PAGE = 2000
BUCKETS = 1000
SCROLL = "5m"
Hit = dict[str, Any]


class Search:
    """The searches of one client."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._client = connected

    def refresh(self, index: str) -> None:
        """Make all earlier writes visible to the searches that follow."""
        self._client.indices.refresh(index=index, **LACKING)

    def indices(self, index: str) -> list[str]:
        """Return the names of the existing indices, in order."""
        existing = self._client.indices.get(index=index, filter_path="*.settings.index.uuid", **LACKING)
        return sorted(existing.body)

    def count(self, index: str, query: Clause) -> int:
        """Return the number of matching documents."""
        return int(self._client.count(index=index, query=query, **LACKING)["count"])

    def first(self, index: str, query: Clause, size: int, sort: Sequence[Any], **options: Any) -> list[Hit]:
        """Return up to `size` hits (at most 10,000), in the order of `sort`."""
        body = self._client.search(
            index=index, query=query, size=min(size, MOST), sort=list(sort), **options, **LACKING
        ).body
        hits: list[Hit] = body["hits"]["hits"]
        return hits

    def scan(
        self, index: str, query: Clause, size: int | None = None, scroll: str = SCROLL, **options: Any
    ) -> Iterator[Hit]:
        """Yield all hits, in no particular order, `size` of them (by default PAGE) in a request."""
        body = {"query": query, **options}
        yield from scan(self._client, query=body, index=index, size=size or PAGE, scroll=scroll, **LACKING)

    def aggregations(self, index: str, query: Clause, aggs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the results of aggregations by name; empty if there is no index."""
        answer = self._client.search(index=index, size=0, query=query, aggs=aggs, **LACKING)
        results: dict[str, Any] = answer.body.get("aggregations", {})
        return results

    def buckets(
        self, index: str, query: Clause, sources: Sequence[Mapping[str, Any]], aggs: Mapping[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield all buckets of a composite aggregation over `sources`, page by page."""
        paging: dict[str, Any] = {"size": BUCKETS, "sources": list(sources)}
        while True:
            aggregation = {"composite": paging, **({"aggs": aggs} if aggs else {})}
            page = self.aggregations(index, query, {"page": aggregation}).get("page", {})
            yield from page.get("buckets", [])
            if "after_key" not in page:
                return
            paging["after"] = page["after_key"]
