"""Which hosts are told to have a wrong zone: those of many lines that are off by the same, and no host that is late."""

from collections.abc import Sequence
from random import Random

from ingest.core.authoring.zone_faults import MOST_HOSTS, ZoneFault, ZoneFaults
from ingest.core.model import Message
from tests.core.decode.test_workflow_lines_stamps import AT_S, FLOW, line_of, read
from tests.support.derived import RECEIVED_MS

PACIFIC_S = -25_200


def faults_in(
    lags_s: Sequence[int], file: str = "a.log", end: bytes = b"", faults: ZoneFaults | None = None
) -> list[ZoneFault]:
    """Lines of a file that were printed so late, by a right clock of another zone or by a late one."""
    faults = faults or ZoneFaults()
    for number, late_s in enumerate(lags_s, 1):
        line = line_of(late_s, "PDT", PACIFIC_S, at_s=AT_S + number) + end
        faults.add(file, number, FLOW.decode(Message(line, RECEIVED_MS, backfill=True), 0).documents, -2)
    return faults.by_host()


def test_three_lines_of_one_shift_are_a_fault() -> None:
    """With their lags as they are without it, sound ones passed over; two are none, nor are three that differ."""
    (fault,) = faults_in([5, 3600, 3598, 20, 3612])

    assert fault == ZoneFault("a.log", 3600, 3, 3, "PDT", "a.log", 2, -2, 12)
    assert faults_in([3600, 3600]) == faults_in([3600, 7200, 1800]) == faults_in([5, 5, 5]) == []


def test_each_shift_of_a_host_is_told() -> None:
    """A zone that was set, and then set wrong the other way."""
    assert [(fault.shift_s, fault.lines) for fault in faults_in([3600] * 3 + [5] + [-3600] * 4)] == [
        (3600, 3),
        (-3600, 4),
    ]


def test_lines_that_are_late_are_no_fault() -> None:
    """Hundreds of honest prints up to two hours late: some share a shift by chance, and nothing is said of them."""
    rng = Random(5)
    late_s = [rng.randint(0, 7200) for _ in range(562)]
    near = [(lag_s + 2) // 900 for lag_s in late_s if lag_s > 900 and (lag_s + 2) % 900 <= 122]

    assert max(near.count(k) for k in set(near)) >= 8
    assert faults_in(late_s) == []


def test_a_host_is_what_the_line_names_else_the_forwarder_else_the_file() -> None:
    """Lines of one host in several files count together, those of several hosts in one file apart."""
    faults = ZoneFaults()
    for number, file in enumerate(("a.log", "b.log", "c.log")):
        host_faults = faults_in([3600 + number], file, b":HOST=node1", faults)
    assert [(fault.host, fault.lines, fault.file) for fault in host_faults] == [("node1", 3, "a.log")]

    faults = ZoneFaults()
    for host in ("n1", "n2", "n3"):
        assert faults_in([3600], "a.log", f":NODE={host}".encode(), faults) == []

    faults = ZoneFaults()
    for number in range(3):
        document = read(line_of(3600 + number, "PDT", PACIFIC_S))
        document.body["host"] = {"name": "forwarded"}
        faults.add(f"{number}.log", 1, [document], -2)
    assert [fault.host for fault in faults.by_host()] == ["forwarded"]


def test_a_line_of_several_pairs_counts_once() -> None:
    """Two pairs of the same second are one line, and two lines are not three."""
    end = f":END_DATE={AT_S + 1}".encode()

    assert faults_in([3600], end=end) == []
    assert faults_in([3600, 3600], end=end) == []


def test_a_line_that_is_repeated_is_one() -> None:
    """A file that is read twice does not make three lines of two; they count once there are three others."""
    faults = ZoneFaults()
    assert faults_in([3600, 3600], faults=faults) == []
    assert faults_in([3600, 3600], faults=faults) == []
    (fault,) = faults_in([3600, 3600, 3600], faults=faults)

    assert (fault.lines, fault.failed) == (7, 7)


def test_hosts_are_bounded() -> None:
    """Beyond a thousand they are passed over; those that are known go on."""
    faults = ZoneFaults()
    for number in range(MOST_HOSTS):
        faults_in([3600], f"{number}.log", faults=faults)
    for file in ("one more.log", "7.log"):
        faults_in([3600] * 3, file, faults=faults)

    assert [fault.host for fault in faults.by_host()] == ["7.log"]
