"""The movement sweeper's queries: states of transfers that are due, states that share a key, and a transfer's facts.

Reads only.
"""

from collections.abc import Iterable, Iterator, Sequence

from elasticsearch import Elasticsearch as Client

from ingest.core.ids import index_pattern, index_patterns
from ingest.core.movements.record import TransferRecord, record_of
from ingest.core.movements.state import TransferState, state_of
from ingest.core.movements.units import TASK, UnitKey
from ingest.edge.elasticsearch.client import raising_port_errors
from ingest.edge.elasticsearch.query import Clause, alive, all_of, any_of, terms
from ingest.edge.elasticsearch.search import Search

TERMS_AT_ONCE = 1000
PAGE = 1000
NG = "gridftp_ng"
_STATE, _FACT = "transferstate", "transfers"


class ElasticsearchTransfers:
    """Implements `ports.TransferStates`."""

    def __init__(self, connected: Client) -> None:
        """Take an open client."""
        self._search = Search(connected)

    def refresh(self, facility: str) -> None:
        """Make all earlier writes visible to the queries that follow."""
        with raising_port_errors():
            self._search.refresh(index_patterns((_STATE, _FACT), (facility,)))

    def due(self, facility: str) -> Iterator[TransferState]:
        """Yield the states whose movements have to be derived, as of the time of the query."""
        yield from self._states(facility, [{"term": {"perf.transferstate.due": True}}])

    def sharing(self, facility: str, keys: Sequence[str]) -> Iterator[TransferState]:
        """Yield the states that have at least one of the keys; a state may come more than once."""
        for start in range(0, len(keys), TERMS_AT_ONCE):
            yield from self._states(facility, terms({"perf.transferstate.keys": keys[start : start + TERMS_AT_ONCE]}))

    def _states(self, facility: str, clauses: Iterable[Clause]) -> Iterator[TransferState]:
        with raising_port_errors():
            for hit in self._search.scan(index_pattern(_STATE, (facility,)), all_of(clauses), PAGE):
                yield state_of(hit["_source"])

    def records(self, facility: str, units: Sequence[UnitKey]) -> Iterator[TransferRecord]:
        """Yield the facts of units, without their original bytes; a fact may belong to none of them."""
        for start in range(0, len(units), TERMS_AT_ONCE):
            query = alive([any_of(_clauses_of(units[start : start + TERMS_AT_ONCE]))])
            with raising_port_errors():
                hits = self._search.scan(
                    index_pattern(_FACT, (facility,)),
                    query,
                    PAGE,
                    version=True,
                    _source={"excludes": ["event.original*"]},
                )
                for hit in hits:
                    yield record_of(hit["_id"], hit["_version"], hit["_source"])


def _clauses_of(units: Sequence[UnitKey]) -> Iterator[Clause]:
    """The clauses that facts of these units match: by the task, by the transfer's id, by the fact's own, by session."""
    tasks = [unit.id for unit in units if unit.level == TASK]
    ids = [unit.id for unit in units if unit.level != TASK]
    sessions = sorted({unit.id.partition(":")[0] for unit in units if unit.source == NG})
    yield from terms({"perf.transfer.session": sessions})
    for field in ("perf.transfer.id", "perf.transfer.parent_id"):
        for task in tasks:
            yield {"term": {field: {"value": task, "case_insensitive": True}}}
    if ids:
        yield from terms({"perf.transfer.id": ids})
        yield {"ids": {"values": ids}}
