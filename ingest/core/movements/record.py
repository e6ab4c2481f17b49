"""What a movement needs of one fact of kind transfers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ingest.core.ids import update_s_of
from ingest.core.lookup import lookup
from ingest.core.timestamps import iso_ms

MS_PER_S = 1000
TOLERANCE_MS = 2000  # clocks of two services that tell one transfer
WAITS = ("request_wait_s", "queue_wait_s", "prepare_s", "checksum_s", "finalize_s")


class TransferEnd(NamedTuple):
    """One end of a transfer: whichever of name, IP address and site its record tells."""

    domain: str | None = None
    ip: str | None = None
    site: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether the host is told."""
        return bool(self.domain or self.ip)

    def may_be(self, other: "TransferEnd") -> bool:
        """Whether both are the same host: an equal name, or an equal address."""
        return bool((self.domain and self.domain == other.domain) or (self.ip and self.ip == other.ip))


class TransferRecord(NamedTuple):
    """A fact; its `id` is the document's, its times are unix ms, what it does not tell is None.

    `at_ms` is its @timestamp, `polled_ms` when a poll told it. `source` is the source that read it; `origin` and
    `target` are the two ends.
    """

    id: str
    version: int
    source: str
    at_ms: int
    tool: str | None = None
    transfer_id: str | None = None
    parent_id: str | None = None
    external_id: str | None = None
    session: str | None = None
    event: str | None = None
    level: str | None = None
    observer: str | None = None
    state: str | None = None
    final: bool = False
    outcome: str = "unknown"
    error: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    queued_ms: int | None = None
    bytes: int | None = None
    size_bytes: int | None = None
    files: int | None = None
    faults: int | None = None
    origin: TransferEnd = TransferEnd()
    target: TransferEnd = TransferEnd()
    source_url: str | None = None
    destination_url: str | None = None
    path: str | None = None
    run: str | None = None
    stage: str | None = None
    label: str | None = None
    dataset: str | None = None
    probe: bool = False
    synthetic: bool = False
    waits: tuple[tuple[str, float], ...] = ()
    polled_ms: int | None = None

    @property
    def extent_ms(self) -> tuple[int, int]:
        """When it took place, as far as it tells: from start to end, else its one instant."""
        start_ms = (
            self.start_ms if self.start_ms is not None else self.end_ms if self.end_ms is not None else self.at_ms
        )
        return start_ms, max(start_ms, self.end_ms if self.end_ms is not None else self.at_ms)

    def overlaps(self, other: "TransferRecord") -> bool:
        """Whether both took place at the same time, give or take 2 s."""
        (begin, end), (other_begin, other_end) = self.extent_ms, other.extent_ms
        return begin <= other_end + TOLERANCE_MS and other_begin <= end + TOLERANCE_MS


def record_of(doc_id: str, version: int, body: Mapping[str, Any]) -> TransferRecord:
    """Read a stored document of kind transfers."""
    transfer = body["perf"]["transfer"]
    return TransferRecord(
        id=doc_id,
        version=version,
        source=body["perf"]["source"],
        at_ms=iso_ms(body["@timestamp"]),
        tool=transfer.get("tool"),
        transfer_id=transfer.get("id"),
        parent_id=transfer.get("parent_id"),
        external_id=transfer.get("external_id"),
        session=transfer.get("session"),
        event=transfer.get("event"),
        level=transfer.get("level"),
        observer=transfer.get("observer"),
        state=transfer.get("state"),
        final=transfer.get("final", False),
        outcome=lookup(body, "event.outcome") or "unknown",
        error=lookup(body, "error.message") or lookup(body, "error.code"),
        start_ms=_ms(lookup(body, "event.start")),
        end_ms=_ms(lookup(body, "event.end")),
        queued_ms=_ms(transfer.get("queued")),
        bytes=transfer.get("bytes"),
        size_bytes=transfer.get("size_bytes"),
        files=transfer.get("files"),
        faults=transfer.get("faults"),
        origin=_end(body, "source"),
        target=_end(body, "destination"),
        source_url=transfer.get("source_url"),
        destination_url=transfer.get("destination_url"),
        path=lookup(body, "file.path"),
        run=lookup(body, "perf.run.id"),
        stage=lookup(body, "perf.stage.name"),
        label=transfer.get("label"),
        dataset=transfer.get("dataset"),
        probe=transfer.get("probe", False),
        synthetic=body["perf"].get("synthetic", False),
        waits=tuple((name, transfer[name]) for name in WAITS if name in transfer),
        polled_ms=update_s_of(version) * MS_PER_S or None,
    )


def _ms(text: str | None) -> int | None:
    return None if text is None else iso_ms(text)


def _end(body: Mapping[str, Any], name: str) -> TransferEnd:
    end = body.get(name, {})
    return TransferEnd(end.get("domain"), end.get("ip"), end.get("site"))
