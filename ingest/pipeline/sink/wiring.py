"""Wires what writes to Elasticsearch from the settings, in one place: every job opens a `Sink`."""

from types import TracebackType

from ingest.config.settings import Settings
from ingest.edge.elasticsearch.client import client
from ingest.edge.elasticsearch.store import ElasticsearchStore
from ingest.pipeline.sink.bulk_writer import BulkWriter, RequestLimits
from ingest.pipeline.sink.cas import CasWriter
from ingest.pipeline.sink.retry import RetryPolicy


class Sink:
    """A client of Elasticsearch and the writers that use it; all share one retry policy.

    Attributes:
        client: the open client; `close`, or leaving the `with` block, closes it.
        store: bulk requests and single documents of that client.
        retry_policy: waits for Elasticsearch; `retry_policy.end()` ends every wait of this sink.
        limits: the maximum size of one bulk request.
        writer: writes documents and returns the result of each.
        rewriter: writes documents that may be written twice; asks for results only after a failure.
        cas_writer: updates documents by compare-and-swap.
    """

    def __init__(self, settings: Settings, connections: int = 1, retry_policy: RetryPolicy | None = None) -> None:
        """Open a client for `connections` concurrent threads; the retry policy may be shared with other sinks."""
        delivery = settings.delivery
        self.client = client(settings.elasticsearch, connections)
        self.store = ElasticsearchStore(self.client)
        self.retry_policy = retry_policy or RetryPolicy(delivery.retry_first_s, delivery.retry_most_s)
        self.limits = RequestLimits(delivery.bulk_bytes, delivery.bulk_documents)
        self.writer = BulkWriter(self.store.bulk, self.retry_policy, self.limits)
        self.rewriter = BulkWriter(self.store.rewrite, self.retry_policy, self.limits)
        swaps = BulkWriter(self.store.swap, self.retry_policy, self.limits)
        self.cas_writer = CasWriter(self.store, swaps, self.retry_policy)

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the client."""
        self.client.close()
