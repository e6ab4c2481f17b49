"""Compares the documents decoded from stored lines that are read again with the stored versions."""

from collections.abc import Sequence

import orjson

from ingest.core.bulk import BulkAction, index
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_path import PlainMark
from ingest.core.records.decoded import DecodedBatch
from ingest.core.replay.corrections import reconcile, tombstone
from ingest.core.replay.stored_line import DocumentVersion, StoredLine


class RereadJudge:
    """Compares the new documents of a stored line with its earlier ones."""

    def __init__(self, decoder: Decoder) -> None:
        """Bind the decoder that reads the lines."""
        self._facility, self._revisions = decoder.intake.facility, decoder.revisions

    def judge_plain(self, n: int, mark: PlainMark, line: StoredLine, batch: DecodedBatch) -> None:
        """Judge a plain line, whose action was added last; usually the stored document is the same."""
        position = len(batch.actions) - 1
        index, doc_id, _ = batch.actions[position]
        template = mark.template
        source = template.fields["perf"]["source"]
        run = mark.run if template.first is not None else ""
        version, previous = template.version, line.previous
        old_version = previous[0].version if len(previous) == 1 else version + 1
        if old_version <= version and previous[0] == (index, doc_id, old_version, source, run, mark.at_ms):
            (batch.already_stored if old_version == version else batch.corrected).add(position)
        else:
            self.judge(n, [DocumentVersion(index, doc_id, version, source, run, mark.at_ms)], line, batch)

    def judge(self, n: int, made: Sequence[DocumentVersion], line: StoredLine, batch: DecodedBatch) -> None:
        """Judge a line whose actions, one for each new document, were added last."""
        first = len(batch.actions) - len(made)
        reconciled = reconcile(made, line.previous, self._facility, self._revisions)
        batch.already_stored.update(first + number for number in reconciled.already_stored)
        for number, version in reconciled.outdated.items():
            batch.outdated.add(first + number)
            if number not in reconciled.already_stored:
                batch.actions[first + number] = self._tombstone(made[number], version)
        if reconciled.is_correction or reconciled.left_runs or reconciled.added:
            batch.reconciled[n] = reconciled

    def _tombstone(self, made: DocumentVersion, version: int) -> BulkAction:
        """Replace a document that does not count by a tombstone with the version that won against it."""
        return index(made.index, made.id, version, orjson.dumps(tombstone(made, self._facility)).decode())
