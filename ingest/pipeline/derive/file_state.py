"""A file's state document while it is updated: it merges what batches received of the file."""

from collections.abc import Mapping
from typing import Any

from ingest.core.fields import Schema
from ingest.core.tracking.file_document import body_of, state_of
from ingest.core.tracking.file_state import FileKey, FileState, FileUpdate, merge
from ingest.core.tracking.gaps import is_due
from ingest.pipeline.derive.run_state import as_text
from ingest.pipeline.sink.cas import CasDocument

KIND = "files"


class FileStateDocument(CasDocument):
    """What was received of a file. `update` is the update from a round of batches."""

    def __init__(self, key: FileKey, schema: Schema) -> None:
        """Start with an empty state."""
        super().__init__(schema.index(KIND, key.facility), key.id)
        self.state = FileState(key)
        self.update: FileUpdate | None = None
        self._next = self.state

    def load(self, body: Mapping[str, Any] | None) -> None:
        """Load the stored state."""
        self.state = state_of(body) if body else FileState(self.state.key)

    def next_body(self) -> str | None:
        """Return the document with the update merged in; None if it adds nothing."""
        self._next = merge(self.state, self.update) if self.update else self.state
        return None if self._next is self.state else as_text(body_of(self._next, is_due(self._next)))

    def confirm(self) -> None:
        """Confirm that the new state is stored."""
        self.state, self.update = self._next, None
