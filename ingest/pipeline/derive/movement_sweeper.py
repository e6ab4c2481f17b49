"""Derives movements from transfers, as part of a sweep.

Workers mark the state of each transfer of which a record arrived as due. The sweeper reads the states that are due, the
states of other tools that share a URL or a server's path with them, and the facts of all of these; it groups them and
derives one movement of each group (core/movements). A movement is the document of the group's first unit. The document
of every other unit is taken back if it was written before.

Each state is swapped to a higher revision first, which is the version of the documents that follow; then the documents
are written; then the state is no longer due. If a sweeper dies in between, the states stay due. The loser of a conflict
leaves the state to the winner. Any number of sweepers may run at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingest.core.batching import batched
from ingest.core.fields import Schema
from ingest.core.model import Document
from ingest.core.movements.documents import movement_document, tombstone
from ingest.core.movements.matching import UnitGroup, matched
from ingest.core.movements.movement import Movement, key_order, movement_of
from ingest.core.movements.polls import Growth
from ingest.core.movements.state import TransferKey, TransferState, body_of, derived, next_revision, state_of
from ingest.core.movements.units import Unit, unit_key, units_of
from ingest.edge.ports import TransferStates
from ingest.pipeline.derive.pending import PendingDocument, write_pending
from ingest.pipeline.derive.run_state import as_text
from ingest.pipeline.derive.transfer_state import KIND
from ingest.pipeline.sink.bulk_writer import BulkWriter
from ingest.pipeline.sink.cas import CasWriter

UNITS_AT_ONCE = 200
MOST_RELATED = 50_000  # units that may share a key with those of one step, directly or through others


class MovementDocument(PendingDocument):
    """A transfer's state while its movement is written; the group of its unit is known, its stored state is read."""

    def __init__(self, index: str, key: TransferKey, leads: Movement | None) -> None:
        """Start without a state. `leads` is the movement whose first unit it is; None if it is part of another's."""
        super().__init__(index, key.id)
        self._key, self._leads = key, leads
        self._stored: TransferState | None = None
        self.state: TransferState | None = None

    def load(self, body: Mapping[str, Any] | None) -> None:
        """Load the stored state and raise its revision; a unit that leads and has no state yet gets one.

        A task that only the "ng" log of its servers names has no record of its own.
        """
        self._stored = state_of(body) if body is not None else None
        if self._stored is not None or self._leads is not None:
            self.state = next_revision(self._stored or TransferState(self._key))

    @property
    def is_due(self) -> bool:
        """Whether the state exists."""
        return self.state is not None

    def next_body(self) -> str | None:
        """Return the next state as JSON; None if it is stored already."""
        return None if self.state is None or self.state is self._stored else as_text(body_of(self.state))

    def confirm(self) -> None:
        """Confirm that the next state is stored."""
        self._stored = self.state

    def documents(self, schema: Schema) -> Iterable[Document]:
        """The movement, and a tombstone in every other index where it was written before."""
        if self.state is None:
            return
        written = self.state.movement
        if self._leads is not None:
            document = movement_document(schema, self.state, self._leads)
            yield document
            if written not in {None, document.index}:
                yield tombstone(self.state, str(written))
            self.state = replace(self.state, movement=document.index)
        elif written is not None:
            yield tombstone(self.state, written)
            self.state = replace(self.state, movement=None)

    def clear(self) -> None:
        """Clear the pending mark: the documents were written."""
        if self.state is not None:
            self.state = derived(self.state)


def _at(state: TransferState, index: str | None) -> TransferState:
    return TransferState(state.key, state.seen_ms, state.growth, state.keys, state.revision, state.due, movement=index)


@dataclass(frozen=True, slots=True)
class MovementSweep:
    """Result of a round: movements derived, documents written."""

    movements: int = 0
    documents: int = 0

    def __add__(self, other: "MovementSweep") -> "MovementSweep":
        return MovementSweep(self.movements + other.movements, self.documents + other.documents)


class MovementSweeper:
    """Sweeps the transfers of some facilities."""

    def __init__(self, states: TransferStates, cas_writer: CasWriter, writer: BulkWriter, schema: Schema) -> None:
        """Bind the stored states and the writers."""
        self._states, self._cas_writer, self._writer, self._schema = states, cas_writer, writer, schema

    def sweep(self, facilities: Iterable[str]) -> MovementSweep:
        """Derive what is due in each facility, once."""
        total = MovementSweep()
        for facility in facilities:
            self._states.refresh(facility)
            done: set[TransferKey] = set()
            for due in batched(self._states.due(facility), max_items=UNITS_AT_ONCE):
                related = self._related(facility, [state for state in due if state.key not in done])
                total += self._sweep_units(facility, related)
                done |= related.keys()
        return total

    def _related(self, facility: str, due: Sequence[TransferState]) -> dict[TransferKey, TransferState]:
        """The states that are due, and all that share a key with them, directly or through others."""
        related = {state.key: state for state in due}
        keys = {key for state in due for key in state.keys}
        asked: set[str] = set()
        while keys - asked and len(related) < MOST_RELATED:
            new = sorted(keys - asked)
            asked |= keys
            for state in self._states.sharing(facility, new):
                related.setdefault(state.key, state)
                keys.update(state.keys)
        return related

    def _sweep_units(self, facility: str, related: Mapping[TransferKey, TransferState]) -> MovementSweep:
        if not related:
            return MovementSweep()
        wanted = {key.unit for key in related}
        records = self._states.records(facility, sorted(wanted))
        units = units_of(record for record in records if unit_key(record) in wanted)
        growths = {key.unit: state.growth for key, state in related.items()}
        leading = {_first(group).key: _movement(group, growths) for group in matched(units)}
        index = self._schema.index(KIND, facility)
        owners = sorted({*related, *(TransferKey(facility, unit) for unit in leading)})
        swapped = [MovementDocument(index, key, leading.get(key.unit)) for key in owners]
        swept, written = write_pending(
            self._cas_writer, self._writer, swapped, lambda document: list(document.documents(self._schema))
        )
        return MovementSweep(len(leading) if swept else 0, written)


def _first(group: UnitGroup) -> Unit:
    return min(group.units, key=lambda unit: key_order(unit.key))


def _movement(group: UnitGroup, growths: Mapping[Any, Growth]) -> Movement:
    growth = Growth()
    for unit in group.units:
        growth = growth.merged(growths.get(unit.key, Growth()))
    return movement_of(group, growth)
