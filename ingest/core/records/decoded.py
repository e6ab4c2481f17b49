"""The result of decoding records: bulk actions, the fact behind each action, and records decoded on the slow path."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from ingest.core.bulk import BulkAction
from ingest.core.decode.fast_path import Fact
from ingest.core.kafka_record import ConsumerRecord
from ingest.core.model import Document, Intake, Message, Outcomes, Reject
from ingest.core.records.headers import Replay, parse
from ingest.core.replay.corrections import Reconciled
from ingest.core.tracking.file_state import FileKey, FileUpdate
from ingest.core.tracking.watermark import WriterKey


@dataclass(slots=True)
class DecodedRecord:
    """A record decoded on the slow path: its outcomes, its rejects with their stages, and which record it copies."""

    message: Message
    outcomes: Outcomes
    rejects: list[tuple[str, Reject]]
    replay: Replay | None = None


@dataclass(slots=True)
class DecodedBatch:
    """Decoded records of one partition.

    Attributes:
        actions: the bulk actions.
        owners: for each action, the number of its record.
        facts: for each action, the mark or document it was made from.
        segments: for each segment of records with one origin, the number of actions up to its end and whether the
            segment is a backfill (None for stored lines that are read again).
        special: by record number, the records decoded on the slow path.
        files: by file, the byte ranges received and the manifests.
        ends: by writer, when its shipper reported its end (unix ms).
        already_stored: for lines read again: actions whose document is stored already.
        corrected: for lines read again: actions that only correct the stored document in place.
        outdated: for lines read again: actions whose document does not count, because an earlier document wins.
        reconciled: for all other lines read again, by record number: what changes for their earlier documents.
        faults: coordinates of records that made perflog itself fail, with the exception.
    """

    actions: list[BulkAction] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    segments: list[tuple[int, bool | None]] = field(default_factory=list)
    special: dict[int, DecodedRecord] = field(default_factory=dict)
    files: dict[FileKey, FileUpdate] = field(default_factory=dict)
    ends: dict[WriterKey, int] = field(default_factory=dict)
    already_stored: set[int] = field(default_factory=set)
    corrected: set[int] = field(default_factory=set)
    outdated: set[int] = field(default_factory=set)
    reconciled: dict[int, Reconciled] = field(default_factory=dict)
    faults: list[tuple[str, Exception]] = field(default_factory=list)

    def version(self, n: int) -> int:
        """Return the version of the document that an action writes; 0 if facts are not kept."""
        if n >= len(self.facts):
            return 0
        fact = self.facts[n]
        return fact.version if isinstance(fact, Document) else fact.template.version

    def first_action(self, n: int) -> int | None:
        """Return the position of a record's first action, None if it has none; owners ascend: a bisection."""
        at = bisect_left(self.owners, n)
        return at if at < len(self.owners) and self.owners[at] == n else None

    def made_special(self, n: int, received: ConsumerRecord) -> DecodedRecord:
        """Return the record as a slow-path record, rebuilt from its action if it took the fast path."""
        if n not in self.special:
            at = self.first_action(n)
            assert at is not None  # noqa: S101 - only a record with an action can be refused without being special
            action = self.actions[at]
            document = Document(action.index, action.id, 0, orjson.loads(action.json))
            headers = parse(received)
            self.special[n] = DecodedRecord(headers.message, Outcomes((document,)), [], headers.replay)
        return self.special[n]


@dataclass(slots=True)
class PartitionBatch:
    """Records of one partition that were decoded together."""

    intake: Intake
    records: Sequence[ConsumerRecord]
    reading: DecodedBatch

    def let_go(self) -> None:
        """Drop the records and their decoded form to free memory; the commit needs only the in-flight range."""
        self.records, self.reading = (), DecodedBatch()
