"""What records became: actions, what each was made of, and which records are told one by one. Touches nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from ingest.core.bulk import BulkAction
from ingest.core.decode.fast_path import Fact
from ingest.core.kafka_record import ConsumerRecord
from ingest.core.model import Document, Intake, Message, Outcomes, Reject
from ingest.core.records.headers import message
from ingest.core.replay.corrections import Reconciled
from ingest.core.tracking.file_state import FileKey, FileUpdate
from ingest.core.tracking.watermark import WriterKey


@dataclass(slots=True)
class DecodedRecord:
    """A record that went the general way: what the flow made of it, and what of that was refused (stage, reject)."""

    message: Message
    outcomes: Outcomes
    refused: list[tuple[str, Reject]]


@dataclass(slots=True)
class DecodedBatch:
    """What records became: actions, for each the number of its record, and the records that are special.

    `facts` holds for each action the mark or document that it was made of; `stretches` for each stretch of records of
    one origin how many actions there were behind it, and whether it is of a backfill; None for stored lines. `files`
    holds what was received or said of each file; `ends` when (unix ms) the shipper of a writer said its end.

    Of stored lines that are read again: `there`, the actions whose documents stand there already; `corrected`, those
    that correct one where it stands, and no more; `lost`, those whose documents do not count; `judged`, for all other
    lines by the number of the record, what their reading means for their former documents.

    `faults`: the records that perflog itself failed on, by their coordinates.
    """

    actions: list[BulkAction] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    stretches: list[tuple[int, bool | None]] = field(default_factory=list)
    special: dict[int, DecodedRecord] = field(default_factory=dict)
    files: dict[FileKey, FileUpdate] = field(default_factory=dict)
    ends: dict[WriterKey, int] = field(default_factory=dict)
    there: set[int] = field(default_factory=set)
    corrected: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    judged: dict[int, Reconciled] = field(default_factory=dict)
    faults: list[tuple[str, Exception]] = field(default_factory=list)

    def version(self, n: int) -> int:
        """The version of the document that an action writes; 0 where facts are not kept."""
        if n >= len(self.facts):
            return 0
        found = self.facts[n]
        return found.version if isinstance(found, Document) else found.plain.version

    def made_special(self, n: int, received: ConsumerRecord) -> DecodedRecord:
        """A record as a special one, also where it went the short way; then it is known by its action alone."""
        if n not in self.special:
            action = self.actions[self.owners.index(n)]
            document = Document(action.index, action.id, 0, orjson.loads(action.json))
            self.special[n] = DecodedRecord(message(received), Outcomes((document,)), [])
        return self.special[n]


@dataclass(slots=True)
class PartitionBatch:
    """Records of one partition that were read together."""

    intake: Intake
    records: Sequence[ConsumerRecord]
    reading: DecodedBatch

    def let_go(self) -> None:
        """Nothing of the records is needed any more: what waits to be committed holds the span alone."""
        self.records, self.reading = (), DecodedBatch()
