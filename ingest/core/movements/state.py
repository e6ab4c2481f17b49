"""The state of a unit: what its facts do not keep. A document of kind transferstate, merged by every worker.

Of a poll that a later record replaces, only this state knows. The facts themselves are read again when the movement is
derived, so that a task of a million files has a state of a few kilobytes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ingest.core.ids import digest_id
from ingest.core.movements.matching import match_keys
from ingest.core.movements.polls import SLOT_MS, Growth, Poll, growth_of
from ingest.core.movements.record import TransferRecord
from ingest.core.movements.units import TASK, UnitKey, unit_key
from ingest.core.timestamps import iso, of_iso

MOST_KEYS = 64
MS_PER_S = 1000


class TransferKey(NamedTuple):
    """A unit of a facility: movements are made within one facility."""

    facility: str
    unit: UnitKey

    @property
    def id(self) -> str:
        """The id of its state's document, and of the movement that it is the first unit of."""
        return digest_id(*(part.encode() for part in self.unit))


@dataclass(frozen=True, slots=True)
class TransferState:
    """The state of a unit.

    Attributes:
        seen_ms: the newest time that a record told (unix ms).
        keys: under which records of other tools are found; the first 64, in order.
        revision: raised with each change; `due`: its movement has not been derived since.
        movement: the index that holds its movement.
    """

    key: TransferKey
    seen_ms: int = 0
    growth: Growth = Growth()  # noqa: RUF009 - immutable
    keys: tuple[str, ...] = ()
    revision: int = 0
    due: bool = False
    movement: str | None = None


@dataclass(slots=True)
class TransferUpdate:
    """What a batch says of a unit: the newest time, polls, keys."""

    seen_ms: int = 0
    polls: list[Poll] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def add(self, record: TransferRecord) -> None:
        """Add what a record says."""
        self.seen_ms = max(self.seen_ms, record.extent_ms[1])
        self.keys.update(map(key_text, match_keys(record)))
        if record.level == TASK and record.bytes is not None:
            self.polls.append(Poll(record.polled_ms or record.extent_ms[1], record.bytes, record.faults or 0))

    def join(self, other: "TransferUpdate") -> None:
        """Add all that another batch says."""
        self.seen_ms = max(self.seen_ms, other.seen_ms)
        self.polls += other.polls
        self.keys |= other.keys


def key_text(key: Iterable[str]) -> str:
    """A match key as one keyword: a digest, since URLs may be longer than an index accepts."""
    return digest_id(*(part.encode("utf-8", "surrogatepass") for part in key))


def transfer_key(facility: str, record: TransferRecord) -> TransferKey:
    """The unit of a record, in its facility."""
    return TransferKey(facility, unit_key(record))


def with_update(state: TransferState, update: TransferUpdate) -> TransferState:
    """Merge an update; the result is due, also where it says nothing new.

    A record that was stored before may have been stored by a worker that died before it wrote this state.
    """
    keys = tuple(sorted({*state.keys, *update.keys})[:MOST_KEYS])
    return replace(
        state,
        seen_ms=max(state.seen_ms, update.seen_ms),
        growth=state.growth.merged(growth_of(update.polls)),
        keys=keys,
        revision=state.revision + 1,
        due=True,
    )


def next_revision(state: TransferState) -> TransferState:
    """Raise the revision of a state whose movement follows from another unit that changed."""
    return replace(state, revision=state.revision + 1, due=True)


def derived(state: TransferState) -> TransferState:
    """The state once its movement is written."""
    return replace(state, due=False)


def body_of(state: TransferState) -> dict[str, Any]:
    """The document of a state."""
    growth, unit = state.growth, state.key.unit
    fields: dict[str, Any] = {
        "level": unit.level,
        "source": unit.source,
        "id": unit.id,
        "revision": state.revision,
        "due": state.due,
    }
    if state.keys:
        fields["keys"] = list(state.keys)
    if state.movement is not None:
        fields["movement"] = state.movement
    if growth.last is not None:
        fields["polls"] = {
            "polls": [list(poll) for poll in growth.polls],
            "slot_ms": growth.slot_ms,
            "grew": [growth.most_bytes, growth.grew_ms],
            "last": list(growth.last),
        }
    return {
        "@timestamp": iso(state.seen_ms),
        "perf": {"facility": state.key.facility, "transferstate": fields},
    }


def state_of(body: Mapping[str, Any]) -> TransferState:
    """The state stored in a document of kind transferstate."""
    fields = body["perf"]["transferstate"]
    return TransferState(
        TransferKey(body["perf"]["facility"], UnitKey(fields["level"], fields["source"], fields["id"])),
        of_iso(body["@timestamp"]),
        _growth(fields.get("polls")),
        tuple(fields.get("keys", ())),
        fields["revision"],
        fields["due"],
        fields.get("movement"),
    )


def _growth(stored: Mapping[str, Any] | None) -> Growth:
    if stored is None:
        return Growth((), SLOT_MS)
    most_bytes, grew_ms = stored["grew"]
    polls = tuple(Poll(*values) for values in stored["polls"])
    return Growth(polls, stored["slot_ms"], most_bytes, grew_ms, Poll(*stored["last"]))
