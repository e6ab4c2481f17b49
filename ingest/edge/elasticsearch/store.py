"""Implements the store port: bulk requests and single documents. One request per call, no retries."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from elasticsearch import Elasticsearch as Client

from ingest.core.bulk import BulkAction, request_body
from ingest.core.bulk_result import CREATED, UPDATED, ItemResult, StoredVersion
from ingest.edge.elasticsearch.client import raising_port_errors
from ingest.edge.elasticsearch.documents import CasDocuments, CurrentDocument
from ingest.edge.errors import Unavailable
from ingest.edge.ports import StoredDocument

_ITEM = "items.*.status,items.*.result,items.*.error.type,items.*.error.reason,items.*.failure_store"
_ITEM += ",items.*.error.caused_by.reason"
_SWAP = f"{_ITEM},items.*._seq_no,items.*._primary_term"
_ORIGIN = "docs._id,docs.error.type,docs._version,docs._source.provenance.kafka"
_DOCUMENT = "docs._id,docs.error.type,docs._seq_no,docs._primary_term,docs._version,docs._source"
_GONE = (None, "index_not_found_exception")
FAILED = 300  # the lowest status that is not a success
_SUCCESS = {CREATED.result: CREATED, UPDATED.result: UPDATED}
_EPOCH = "perf.ledger.epoch"


class ElasticsearchStore:
    """Implements `ports.Store`."""

    def __init__(self, client: Client) -> None:
        """Take an open client."""
        self._client = client
        # A bulk request may go to a second node after the first gave no answer, though the first may have carried it
        # out: a write with an external version is refused as a conflict, which the caller compares with what is stored.
        # So is a compare-and-swap: pipeline/sink/cas reads the document again, and there is nothing left to change.
        self._bulk_client = client.options(retry_on_timeout=True)
        self._last_succeeded = True

    def bulk(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """Send one bulk request and return one result per action, in order."""
        return self._bulk(actions, _ITEM)

    def swap(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """Send one bulk request of compare-and-swaps."""
        return self._bulk(actions, _SWAP)

    def rewrite(self, actions: Sequence[BulkAction]) -> list[ItemResult]:
        """Like `bulk`, for actions that may be written twice; asks for item results only after a failure.

        If no item failed, every result is CREATED. If one failed, the actions are written again to get the results of
        the items; until a request succeeds entirely, the following requests ask for item results at once.
        """
        if not actions:
            return []
        if self._last_succeeded and self._send(request_body(actions), "errors").get("errors") is False:
            return [CREATED] * len(actions)
        results = self.bulk(actions)
        self._last_succeeded = all(result.status < FAILED for result in results)
        return results

    def _bulk(self, actions: Sequence[BulkAction], filter_path: str) -> list[ItemResult]:
        if not actions:
            return []
        items = self._send(request_body(actions), filter_path).get("items", ())
        if len(items) != len(actions):
            raise Unavailable(f"Elasticsearch answered {len(items)} of {len(actions)} actions")
        return [_item_result(item) for entry in items for item in entry.values()]

    def _send(self, body: bytes, filter_path: str) -> dict[str, Any]:
        with raising_port_errors():
            answer: dict[str, Any] = self._bulk_client.bulk(operations=body, filter_path=filter_path).body  # type: ignore[arg-type]  # bytes go as they are
        return answer

    def versions(self, refs: Sequence[tuple[str, str]]) -> list[StoredVersion | None]:
        """Return each document's origin and version, independent of refreshes; None if it does not exist."""
        if not refs:
            return []
        docs = [{"_index": index, "_id": doc_id, "_source": ["provenance.kafka"]} for index, doc_id in refs]
        return [_stored_version(doc) for doc in self._get(docs, _ORIGIN)]

    def get(self, refs: Sequence[tuple[str, str]]) -> list[StoredDocument | None]:
        """Return the documents, independent of refreshes; None for each that does not exist."""
        if not refs:
            return []
        docs = [{"_index": index, "_id": doc_id} for index, doc_id in refs]
        return [_stored_document(doc) for doc in self._get(docs, _DOCUMENT)]

    def _get(self, docs: Sequence[dict[str, Any]], filter_path: str) -> list[dict[str, Any]]:
        with raising_port_errors():
            stored: list[dict[str, Any]] = self._client.mget(docs=docs, filter_path=filter_path).body.get("docs", [])
        failed = [doc["error"]["type"] for doc in stored if doc.get("error", {}).get("type") not in _GONE]
        if failed:
            raise Unavailable(f"Elasticsearch: {failed[0]} when looking up documents")
        return stored

    def raise_epoch(self, index: str, doc_id: str, body: Mapping[str, object]) -> int:
        """Repeat a compare-and-swap until it succeeds; the new epoch is the stored one plus one."""

        def next_body(stored: CurrentDocument | None) -> dict[str, Any]:
            return _with_epoch(body, 1 if stored is None else int(stored.value(_EPOCH)) + 1)

        with raising_port_errors():
            return int(CasDocuments(self._client).update(index, doc_id, next_body).value(_EPOCH))


def _stored_document(doc: Mapping[str, Any]) -> StoredDocument | None:
    if "_source" not in doc:
        return None
    return StoredDocument((doc["_seq_no"], doc["_primary_term"]), doc["_source"], doc["_version"])


def _stored_version(doc: Mapping[str, Any]) -> StoredVersion | None:
    if "_version" not in doc:
        return None
    return StoredVersion(doc.get("_source", {}).get("provenance", {}).get("kafka"), doc["_version"])


def _with_epoch(body: Mapping[str, object], epoch: int) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(orjson.dumps(body))
    document.setdefault("perf", {}).setdefault("ledger", {})["epoch"] = epoch
    return document


def _item_result(item: dict[str, Any]) -> ItemResult:
    if len(item) == 2 and (success := _SUCCESS.get(item.get("result", ""))) is not None:
        return success
    error = item.get("error", {})
    cause = error.get("caused_by", {}).get("reason")
    reason = error.get("reason", "")
    return ItemResult(
        status=item["status"],
        result=item.get("result", ""),
        error=error.get("type", ""),
        reason=f"{reason} ({cause})" if cause else reason,
        failure_store=item.get("failure_store") == "used",
        seen=(item["_seq_no"], item["_primary_term"]) if "_seq_no" in item else None,
    )
