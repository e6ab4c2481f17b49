"""The documents that derivation swaps: what is known of a run id, and what was heard of a writer. Touches the log only.

`RunStateDocument` outlives its batch in a cache, with what was written last: then only what differs is written next
time. Once it was read anew (the cache was empty, or somebody else was faster) everything is written, for the other may
have died before writing what follows from his state.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from ingest.core.fields import Schema
from ingest.core.ids import index_name
from ingest.core.mark import RunKey, RunMark
from ingest.core.runs.derive import Derived, DerivedDocument, derive, documents
from ingest.core.runs.state import AT_ONCE_MS, RunState, json_of, state_of, with_marks
from ingest.core.tracking.watermark import WriterKey, WriterProgress, merged, writer_of
from ingest.core.tracking.watermark import body_of as writer_body
from ingest.pipeline.sink.cas import CasDocument

log = logging.getLogger("perflog.run")


class RunStateDocument(CasDocument):
    """A run id's state: grows by marks. `state` is what is there; `written` what of it was derived and written last.

    `stood`: all of `more` is known to stand in the index. If the state has it too, all that follows was written.
    """

    def __init__(self, key: RunKey) -> None:
        """Nothing is known yet."""
        super().__init__(index_name("runstate", key.facility, "none", 0), key.id)
        self.state = RunState(key)
        self.written: Derived | None = None
        self.more: Sequence[RunMark] = ()
        self.stood = False
        self.found: Derived | None = None
        self._next = self.state

    def take(self, body: Mapping[str, Any] | None) -> None:
        """What is there; what was written of it is not known."""
        self.state = state_of(body) if body else RunState(self.state.key)
        self.written = self.found = None

    def changed(self) -> str | None:
        """With the marks that came: the next revision; None when they add nothing."""
        self._next = with_marks(self.state, self.more)
        if self._next is self.state:
            return None
        self.found = None if self._next.large else derive_or_log(self._next)
        issued = self.found.issued if self.found else self.state.issued
        due_ms = self.found.due_ms if self.found and not self.stood else AT_ONCE_MS
        self.stood = False  # from here on it is ours to write what follows, also when we read our change again
        return json_of(self._next, issued, due_ms)

    def keep(self) -> None:
        """The next revision is there; also how many instances it says were issued."""
        issued = self.found.issued if self.found else self._next.issued
        self.state = replace(self._next, issued=issued)

    def documents(self, schema: Schema) -> Iterator[DerivedDocument]:
        """What is to be written now: what differs from what was; everything, where that is not known."""
        if self.lost or self.state.large or (self.written is not None and self.found is self.written):
            return iter(())
        if self.found is None and self.stood:
            return iter(())
        self.found = self.found or derive_or_log(self.state)
        return documents(self.found, schema, self.written) if self.found else iter(())

    def news(self) -> int:
        """How many marks it is to take in."""
        return len(self.more)

    def settle(self) -> None:
        """All of it was written. Of what was, its documents are kept and not the runs that they were made of."""
        if self.found is not None and self.found is not self.written:
            self.found = replace(self.found, runs=())
        self.more, self.written = (), self.found


class WriterDocument(CasDocument):
    """What was heard of a writer: grows by what is heard."""

    def __init__(self, key: WriterKey) -> None:
        """Nothing is known yet."""
        super().__init__(index_name("writers", key.facility, "none", 0), key.id)
        self.key = key
        self.heard: WriterProgress | None = None
        self.more: WriterProgress | None = None

    def take(self, body: Mapping[str, Any] | None) -> None:
        """What is there."""
        self.heard = writer_of(body)[1] if body else None

    def changed(self) -> str | None:
        """With what was heard since; None when that is nothing new."""
        after = merged(self.heard, self.more) if self.more else self.heard
        return None if after is None or after == self.heard else as_text(writer_body(self.key, after))

    def keep(self) -> None:
        """It is there."""
        if self.more:
            self.heard = merged(self.heard, self.more)


def derive_or_log(state: RunState) -> Derived | None:
    """What a state says; None where that fails: a fault of ours costs one run its stages, not the worker its life."""
    try:
        return derive(state)
    except Exception:
        log.exception("A fault of perflog's: please report it. Run %s of %s is not derived.", state.key.run, state.key)
        return None


def as_text(body: Mapping[str, Any]) -> str:
    """A document as JSON."""
    return orjson.dumps(body).decode()
