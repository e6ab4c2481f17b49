"""Find wrong zones: hosts with many lines that are off by the same multiple of a quarter of an hour.

A worker sees one line and corrects none: a line that was printed two hours late looks like one whose zone is two hours
off (core/decode/workflow_lines.py). LEAST_LINES lines of one host with the same shift are no longer chance, and their
lags can be reported without the shift. Stored documents do not change.

Late lines can mimic this: of lines that are printed late at random, one in seven lies near a quarter of an hour, and
of hundreds, some share the same one. So a host is reported only if more of its lines lie near a shared shift than fail
the self-check otherwise.

A host is the name in a pair of the line, else the host that its forwarder names, else the file.
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
MOST_HOSTS = 1000  # further hosts are skipped, so that memory is bounded
HOST_FIELDS = ("perf.extra.HOST", "perf.extra.HOSTNAME", "perf.extra.NODE", "host.name")
CHECKED = {ZONE_SUSPECT, PRINTED_LATE, CLOCK_SKEW}


class ZoneFault(NamedTuple):
    """Lines of a host (or file) whose stamps are ahead of the truth by `shift_s`, a multiple of 900 s (< 0: behind).

    Attributes:
        lines: how many of the host's `failed` lines (those that did not pass the self-check) have this shift.
        zone: as the first of them writes it; empty if its stamp names none.
        file, number: file and line number of the first of them.
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
    """The counts of a host: its failed lines, those near a shift by shift, and ids of the first few of these.

    A line that is read twice has one id.
    """

    failed: int = 0
    shifted: dict[int, ZoneFault] = field(default_factory=dict)
    ids: dict[int, set[str]] = field(default_factory=dict)


class ZoneFaults:
    """Collects counts over any number of lines, in file order."""

    def __init__(self) -> None:
        """Start without any host."""
        self._hosts: dict[str, _Host] = {}

    def add(self, file: str, number: int, documents: Sequence[Document], earliest_lag_s: int) -> None:
        """Count the documents of line `number` of `file`; `earliest_lag_s` is the self-check's lower bound."""
        failed = {doc.body["event"]["original"]: doc for doc in documents if _is_failed(doc.body)}
        for document in failed.values():
            body = document.body
            name = next((value for path in HOST_FIELDS if isinstance(value := lookup(body, path), str)), file)
            if name not in self._hosts and len(self._hosts) >= MOST_HOSTS:
                continue
            host = self._hosts.setdefault(name, _Host())
            host.failed += 1
            if ZONE_SUSPECT in body["perf"]["flags"]:
                _count(host, document.id, _fault(name, file, number, body, earliest_lag_s))

    def by_host(self) -> list[ZoneFault]:
        """The faults by host, in the order of their first lines."""
        return [fault for host in self._hosts.values() for fault in _surely(host)]


def _is_failed(body: Mapping[str, Any]) -> bool:
    """Whether a mark's stamp failed the self-check; of a line's marks only the newest one has the lag."""
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
    shift = host.shifted.get(one.shift_s)
    if shift is None:
        host.shifted[one.shift_s] = one
        return
    least_s, most_s = min(shift.least_lag_s, one.least_lag_s), max(shift.most_lag_s, one.most_lag_s)
    host.shifted[one.shift_s] = shift._replace(lines=shift.lines + 1, least_lag_s=least_s, most_lag_s=most_s)


def _surely(host: _Host) -> Iterator[ZoneFault]:
    shared = [fault for shift_s, fault in host.shifted.items() if len(host.ids[shift_s]) >= LEAST_LINES]
    if 2 * sum(fault.lines for fault in shared) > host.failed:
        yield from (fault._replace(failed=host.failed) for fault in shared)
