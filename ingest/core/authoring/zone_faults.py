"""Zones that are wrong: hosts of which many lines are off by the same quarters of an hour. Pure.

A worker sees one line, and mends none: a line that was printed two hours late looks like one whose zone is two hours
off (core/decode/workflow_lines.py). LEAST_LINES of one host with the same shift are no chance any more, and their lags
can be told as they are without it; nothing that is stored changes.

Unless they are late: of lines that are printed late at random, one in seven lies near a quarter of an hour, and of
hundreds some share it. So nothing is said of a host of which no more lines lie near a shift that they share than fail
the self-check otherwise.

A host is what a line names in a pair of its own, else what its forwarder names, else the file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ingest.core.lookup import lookup
from ingest.core.mark import CLOCK_SKEW, PRINTED_LATE, ZONE_SUSPECT
from ingest.core.model import Document
from ingest.core.runs.run import seconds
from ingest.core.timestamps import quarters_s

LEAST_LINES = 3
MOST_HOSTS = 1000  # of more than that the others are passed over, so that memory is bounded
HOST_FIELDS = ("perf.extra.HOST", "perf.extra.HOSTNAME", "perf.extra.NODE", "host.name")
CHECKED = {ZONE_SUSPECT, PRINTED_LATE, CLOCK_SKEW}


class ZoneFault(NamedTuple):
    """Lines of a host (or file) whose stamps are ahead of the truth by `shift_s`, a multiple of 900 s (< 0: behind).

    Attributes:
        lines: how many, of the host's `failed` ones that did not pass the self-check.
        zone: as the first of them writes it; empty where its stamp names none.
        file, number: where the first of them stands.
        least_lag_s, most_lag_s: their emission lags without the shift.
    """

    host: str
    shift_s: int
    lines: int
    failed: int
    zone: str
    file: str
    number: int
    least_lag_s: float
    most_lag_s: float


@dataclass(slots=True)
class _Host:
    """What was seen of a host: its lines that failed, and those near a shift, by shift; ids of the first few of these.

    A line that is read twice has one id.
    """

    failed: int = 0
    shifted: dict[int, ZoneFault] = field(default_factory=dict)
    ids: dict[int, set[str]] = field(default_factory=dict)


class ZoneFaults:
    """Counts over any number of lines, in the order in which they stand."""

    def __init__(self) -> None:
        """None yet."""
        self._hosts: dict[str, _Host] = {}

    def add(self, file: str, number: int, documents: Sequence[Document], earliest_lag_s: int) -> None:
        """What line `number` of `file` became; `earliest_lag_s` is the source's bound of the self-check."""
        failed = {doc.body["event"]["original"]: doc for doc in documents if _is_failed(doc.body)}
        for document in failed.values():
            body = document.body
            name = next((told for path in HOST_FIELDS if isinstance(told := lookup(body, path), str)), file)
            if name not in self._hosts and len(self._hosts) >= MOST_HOSTS:
                continue
            host = self._hosts.setdefault(name, _Host())
            host.failed += 1
            if ZONE_SUSPECT in body["perf"]["flags"]:
                _count(host, document.id, _fault(name, file, number, body, earliest_lag_s))

    def found(self) -> list[ZoneFault]:
        """The faults, host by host in the order of their first lines."""
        return [fault for host in self._hosts.values() for fault in _surely(host)]


def _is_failed(body: Mapping[str, Any]) -> bool:
    """Whether it is a mark whose stamp failed the self-check; of a line's marks the newest, which has the lag."""
    perf = body["perf"]
    return "emit_lag_s" in perf.get("mark", ()) and not CHECKED.isdisjoint(perf.get("flags", ()))


def _fault(host: str, file: str, number: int, body: Mapping[str, Any], earliest_lag_s: int) -> ZoneFault:
    lag_ms = round(body["perf"]["mark"]["emit_lag_s"] * 1000)
    shift_s = quarters_s(lag_ms / 1000, earliest_lag_s)
    lag_s = seconds(lag_ms - shift_s * 1000)
    return ZoneFault(host, shift_s, 1, 0, lookup(body, "event.timezone") or "", file, number, lag_s, lag_s)


def _count(host: _Host, doc_id: str, one: ZoneFault) -> None:
    ids = host.ids.setdefault(one.shift_s, set())
    if len(ids) < LEAST_LINES:
        ids.add(doc_id)
    known = host.shifted.get(one.shift_s)
    if known is None:
        host.shifted[one.shift_s] = one
        return
    least_s, most_s = min(known.least_lag_s, one.least_lag_s), max(known.most_lag_s, one.most_lag_s)
    host.shifted[one.shift_s] = known._replace(lines=known.lines + 1, least_lag_s=least_s, most_lag_s=most_s)


def _surely(host: _Host) -> Iterator[ZoneFault]:
    shared = [fault for shift_s, fault in host.shifted.items() if len(host.ids[shift_s]) >= LEAST_LINES]
    if 2 * sum(fault.lines for fault in shared) > host.failed:
        yield from (fault._replace(failed=host.failed) for fault in shared)
