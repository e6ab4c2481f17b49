"""The documents that derivation updates by compare-and-swap: a run's state and a writer's progress. Only logs.

`RunStateDocument` stays in a cache after its batch, with the result that was written last, so that next time only the
differences are written. If the state had to be read again (the cache was empty, or another process changed it first),
everything is written: the other process may have died before it wrote what follows from its change.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from ingest.core.fields import Schema
from ingest.core.mark import RunKey, RunMark
from ingest.core.runs.derive import Derived, DerivedDocument, derive, documents
from ingest.core.runs.state import AT_ONCE_MS, RunState, json_of, state_of, with_marks
from ingest.core.tracking.watermark import WriterKey, WriterProgress, merged, writer_of
from ingest.core.tracking.watermark import body_of as writer_body
from ingest.pipeline.sink.cas import CasDocument

log = logging.getLogger("perflog.run")


class RunStateDocument(CasDocument):
    """A run's state, to which marks are added. `state` is the stored one; `written` is the result written last.

    `already_stored`: all of `new_marks` are known to be in the index. If the state has them too, everything that
    follows was written.
    """

    def __init__(self, key: RunKey, schema: Schema) -> None:
        """Start with an empty state."""
        super().__init__(schema.index("runstate", key.facility), key.id)
        self.state = RunState(key)
        self.written: Derived | None = None
        self.new_marks: Sequence[RunMark] = ()
        self.already_stored = False
        self.derived: Derived | None = None
        self._next = self.state

    def load(self, body: Mapping[str, Any] | None) -> None:
        """Load the stored state; forget the derived results, since it is unknown which of them were written."""
        self.state = state_of(body) if body else RunState(self.state.key)
        self.written = self.derived = None

    def next_body(self) -> str | None:
        """Return the next revision, with the new marks; None if they add nothing."""
        self._next = with_marks(self.state, self.new_marks)
        if self._next is self.state:
            return None
        self.derived = None if self._next.large else derive_or_log(self._next)
        issued = self.derived.issued if self.derived else self.state.issued
        due_ms = self.derived.due_ms if self.derived and not self.already_stored else AT_ONCE_MS
        self.already_stored = False  # from here on we have to write what follows, even if we read our own change again
        return json_of(self._next, issued, due_ms)

    def confirm(self) -> None:
        """Confirm that the next revision is stored, with the number of instances it says were issued."""
        issued = self.derived.issued if self.derived else self._next.issued
        self.state = replace(self._next, issued=issued)

    def documents(self, schema: Schema) -> Iterator[DerivedDocument]:
        """The documents to write now: the differences from `written`, or everything if that is unknown."""
        if self.rejected or self.state.large or (self.written is not None and self.derived is self.written):
            return iter(())
        if self.derived is None and self.already_stored:
            return iter(())
        self.derived = self.derived or derive_or_log(self.state)
        return documents(self.derived, schema, self.written) if self.derived else iter(())

    def new_mark_count(self) -> int:
        """How many marks are waiting to be merged."""
        return len(self.new_marks)

    def confirm_derived(self) -> None:
        """Confirm that everything was written. Of the result only the documents are kept, not the runs behind them."""
        if self.derived is not None and self.derived is not self.written:
            self.derived = replace(self.derived, runs=())
        self.new_marks, self.written = (), self.derived


class WriterDocument(CasDocument):
    """A writer's progress, merged from what its lines say."""

    def __init__(self, key: WriterKey, schema: Schema) -> None:
        """Start without progress."""
        super().__init__(schema.index("writers", key.facility), key.id)
        self.key = key
        self.progress: WriterProgress | None = None
        self.update: WriterProgress | None = None

    def load(self, body: Mapping[str, Any] | None) -> None:
        """Load the stored progress."""
        self.progress = writer_of(body)[1] if body else None

    def next_body(self) -> str | None:
        """Return the document with the new progress; None if it adds nothing."""
        after = merged(self.progress, self.update) if self.update else self.progress
        return None if after is None or after == self.progress else as_text(writer_body(self.key, after))

    def confirm(self) -> None:
        """Confirm that the merged progress is stored."""
        if self.update:
            self.progress = merged(self.progress, self.update)


def derive_or_log(state: RunState) -> Derived | None:
    """Derive a state; on an exception log it and return None: a bug costs one run its stages, not the worker."""
    try:
        return derive(state)
    except Exception:
        log.exception("A bug in perflog: please report it. Run %s of %s is not derived.", state.key.run, state.key)
        return None


def as_text(body: Mapping[str, Any]) -> str:
    """Serialize a document as JSON."""
    return orjson.dumps(body).decode()
