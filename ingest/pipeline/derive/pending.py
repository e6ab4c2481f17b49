"""What a sweep writes, in an order that heals: the state as owing its documents, the documents, the state as paid.

Each state is swapped once: who loses it leaves it to the winner. Who dies in between is found out by the next sweep,
which finds the state owing and writes all of it again.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from ingest.core.model import Document
from ingest.core.runs.derive import DerivedDocument
from ingest.pipeline.derive.deriver import write
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.cas import CasDocument, CasWriter


class PendingDocument(CasDocument):
    """A state that first owes its documents."""

    @property
    @abstractmethod
    def is_due(self) -> bool:
        """Whether anything is to be written."""

    @abstractmethod
    def pay(self) -> None:
        """Its documents were written."""


C = TypeVar("C", bound=PendingDocument)


def write_pending(
    cas_writer: CasWriter,
    writer: BulkWriter,
    cells: Sequence[C],
    documents: Callable[[C], Iterable[DerivedDocument | Document]],
) -> tuple[list[C], int]:
    """Read the states, and write what follows from those that are due; which these were, and how many documents."""
    cas_writer.read(cells)
    overtaken = cas_writer.swap_once(cells)
    taken = [cell for cell in cells if cell.is_due and not cell.lost and cell not in overtaken]
    found = [document for cell in taken for document in documents(cell)]
    write(writer, found)
    for cell in taken:
        cell.pay()
    cas_writer.swap_once(taken)
    return taken, len(found)
