"""Writes a sweep's results crash-safely: mark the state as pending, write its documents, clear the mark.

Each state is swapped once: the loser of a conflict leaves the state to the winner. If a sweeper dies in between, the
next sweep finds the pending state and writes all of its documents again.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from ingest.core.bulk import BulkDocument
from ingest.pipeline.derive.deriver import write
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.cas import CasDocument, CasWriter


class PendingDocument(CasDocument):
    """A state that is marked as pending until its documents are written."""

    @property
    @abstractmethod
    def is_due(self) -> bool:
        """Whether anything has to be written."""

    @abstractmethod
    def clear(self) -> None:
        """Clear the pending mark: the documents were written."""


C = TypeVar("C", bound=PendingDocument)


def write_pending(
    cas_writer: CasWriter,
    writer: BulkWriter,
    states: Sequence[C],
    documents: Callable[[C], Iterable[BulkDocument]],
) -> tuple[list[C], int]:
    """Read the states and write what follows from those that are due; return these and the number of documents."""
    cas_writer.read(states)
    conflicts = cas_writer.write_once(states)
    written = [state for state in states if state.is_due and not state.rejected and state not in conflicts]
    derived = [document for state in written for document in documents(state)]
    write(writer, derived)
    for state in written:
        state.clear()
    cas_writer.write_once(written)
    return written, len(derived)
