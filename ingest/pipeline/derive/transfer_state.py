"""A transfer's state document while it is updated: it merges what batches say of the transfer."""

from collections.abc import Mapping
from typing import Any

from ingest.core.fields import Schema
from ingest.core.movements.state import TransferKey, TransferState, TransferUpdate, body_of, state_of, with_update
from ingest.pipeline.derive.run_state import as_text
from ingest.pipeline.sink.cas import CasDocument

KIND = "transferstate"


class TransferStateDocument(CasDocument):
    """What the facts of a transfer do not keep. `update` is the update from a round of batches."""

    def __init__(self, key: TransferKey, schema: Schema) -> None:
        """Start with an empty state."""
        super().__init__(schema.index(KIND, key.facility), key.id)
        self.state = TransferState(key)
        self.update: TransferUpdate | None = None
        self._next = self.state

    def load(self, body: Mapping[str, Any] | None) -> None:
        """Load the stored state."""
        self.state = state_of(body) if body else TransferState(self.state.key)

    def next_body(self) -> str | None:
        """Return the state with the update merged in, due to be derived; None without an update."""
        if self.update is None:
            return None
        self._next = with_update(self.state, self.update)
        return as_text(body_of(self._next))

    def confirm(self) -> None:
        """Confirm that the new state is stored."""
        self.state, self.update = self._next, None
