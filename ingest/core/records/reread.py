"""Stored lines that are read again: what is made of them, held against what was made before. Touches nothing."""

from collections.abc import Sequence

import orjson

from ingest.core.bulk import BulkAction, index
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_path import PlainMark
from ingest.core.records.decoded import DecodedBatch
from ingest.core.replay.corrections import reconcile, tombstone
from ingest.core.replay.stored_line import DocumentVersion, StoredLine


class RereadJudge:
    """Holds what is made of stored lines against what was made of them before."""

    def __init__(self, flow: Decoder) -> None:
        """Bind the flow that reads them."""
        self._facility, self._revisions = flow.intake.facility, flow.revisions

    def judge_plain(self, n: int, mark: PlainMark, line: StoredLine, found: DecodedBatch) -> None:
        """A plain line, whose action was added last; nearly always it stands there just so."""
        at = len(found.actions) - 1
        index, doc_id, _ = found.actions[at]
        plain = mark.plain
        source = plain.fields["perf"]["source"]
        run = mark.run if plain.first is not None else ""
        version, formers = plain.version, line.formers
        before = formers[0].version if len(formers) == 1 else version + 1
        if before <= version and formers[0] == (index, doc_id, before, source, run, mark.at_ms):
            (found.there if before == version else found.corrected).add(at)
        else:
            self.judge(n, [DocumentVersion(index, doc_id, version, source, run, mark.at_ms)], line, found)

    def judge(self, n: int, made: Sequence[DocumentVersion], line: StoredLine, found: DecodedBatch) -> None:
        """A line whose actions, one for each that is made of it, were added last."""
        first = len(found.actions) - len(made)
        verdict = reconcile(made, line.formers, self._facility, self._revisions)
        found.there.update(first + number for number in verdict.there)
        for number, version in verdict.lost.items():
            found.lost.add(first + number)
            if number not in verdict.there:
                found.actions[first + number] = self._lost(made[number], version)
        if verdict.is_correction or verdict.forgotten or verdict.added:
            found.judged[n] = verdict

    def _lost(self, made: DocumentVersion, version: int) -> BulkAction:
        """In place of what does not count: a tombstone, of the version that stands against it elsewhere."""
        return index(made.index, made.id, version, orjson.dumps(tombstone(made, self._facility)).decode())
