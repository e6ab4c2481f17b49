"""Which records are one movement, and which only look so."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.core.movements.matching import UnitGroup, matched
from ingest.core.movements.record import TransferEnd, TransferRecord
from ingest.core.movements.units import units_of
from tests.support.transfer_records import (
    BEGIN_MS,
    SOURCE,
    TARGET,
    close,
    ended,
    fts,
    globus,
    rucio,
    task_of_files,
)

LATER: dict[str, Any] = {"start_ms": BEGIN_MS + 3_600_000, "end_ms": BEGIN_MS + 3_620_000}
CLIENT = TransferEnd("wn7.example.org")


def groups_of(*records: TransferRecord) -> list[list[str]]:
    """The sources of each movement's units, and the movements in a fixed order."""
    return sorted(sorted(unit.key.source for unit in group.units) for group in matched(units_of(records)))


def ambiguous_of(*records: TransferRecord) -> list[UnitGroup]:
    """The movements that name other candidates."""
    return [group for group in matched(units_of(records)) if group.ambiguous]


def test_a_task_and_all_that_its_servers_log_is_one_unit() -> None:
    """By the task's id, case-blind; 201 records, one movement."""
    records = [globus("TASK-1"), *task_of_files(100)]
    ((group,),) = [matched(units_of(records))]

    assert [len(unit.records) for unit in group.units] == [201]


def test_rucio_s_request_is_fts_s_file_by_job_and_urls() -> None:
    """However far their clocks are apart; of another job, or with another URL, they are two."""
    assert groups_of(rucio(**LATER), fts(901)) == [["fts", "rucio"]]
    assert groups_of(rucio(external_id="job-8", **LATER), fts(901)) == [["fts"], ["rucio"]]
    assert groups_of(rucio(source_url="davs://lbl-diskpt1.es.net:443/als/b.h5"), fts(901)) == [["fts"], ["rucio"]]


@pytest.mark.parametrize(
    ("begin_s", "together"), [(0, True), (21.9, True), (22.1, False), (-21.9, True), (-22.1, False)]
)
def test_equal_urls_at_the_same_time_are_one(begin_s: float, together: bool) -> None:
    """20 s each; give or take 2 s, for clocks of two services."""
    begin_ms = BEGIN_MS + int(begin_s * 1000)
    urls: dict[str, Any] = {
        "source_url": "xroot://LBL-diskpt1.es.net:1094//als/a.h5",
        "destination_url": "x://cern-diskpt1.es.net/als/a.h5",
    }
    copy = ended("xrootd_tpc", 10**10, start_ms=begin_ms, end_ms=begin_ms + 20_000, **urls)

    assert groups_of(fts(901), copy) == ([["fts", "xrootd_tpc"]] if together else [["fts"], ["xrootd_tpc"]])


def test_a_server_that_tells_its_own_end_belongs_to_the_copy() -> None:
    """Its name and path are one end of the copy, its client is the host at the other end."""
    sender, receiver = close("sender", SOURCE, TARGET), close("receiver", TARGET, SOURCE)

    assert groups_of(fts(901), sender, receiver) == [["fts", "xrootd_close", "xrootd_close"]]
    assert groups_of(fts(901), close("sender", SOURCE, CLIENT)) == [["fts"], ["xrootd_close"]]
    assert groups_of(fts(901), close("sender", SOURCE, TARGET, path="/als/b.h5")) == [["fts"], ["xrootd_close"]]
    assert groups_of(fts(901), close("sender", SOURCE, TARGET, **LATER)) == [["fts"], ["xrootd_close"]]
    assert groups_of(fts(901), close("sender", SOURCE, TransferEnd())) == [["fts"], ["xrootd_close"]]


def test_two_files_of_one_service_are_never_one() -> None:
    """The same URLs at the same time, with other ids: three files of FTS stay three."""
    assert groups_of(fts(901), fts(902), fts(903)) == [["fts"], ["fts"], ["fts"]]


def test_where_several_fit_none_is_taken() -> None:
    """A request of Rucio that two files of FTS fit belongs to neither, and names both."""
    request = rucio()
    assert groups_of(request, fts(901), fts(902)) == [["fts"], ["fts"], ["rucio"]]
    (doubtful,) = ambiguous_of(request, fts(901), fts(902))

    assert [unit.key.source for unit in doubtful.units] == ["rucio"]
    assert {key.id for key in doubtful.ambiguous} == {"job-7/901", "job-7/902"}


def test_a_chain_of_matches_that_ends_in_a_contradiction_is_taken_apart() -> None:
    """Each link fits, and the two ends of the chain cannot be one: nothing is joined, and all are named."""
    first = fts(901)
    second = fts(902, start_ms=BEGIN_MS + 60_000, end_ms=BEGIN_MS + 80_000)
    bridge = ended("xrootd_tpc", 1, 70, source_url=first.source_url, destination_url=first.destination_url)
    assert len(groups_of(first, second, bridge)) == 3


RECORDS = st.lists(
    st.sampled_from(
        [
            fts(901), fts(902), fts(903, **LATER), rucio(), rucio("beef", **LATER), globus(), globus("task-2"),
            close("sender", SOURCE, TARGET), close("receiver", TARGET, SOURCE), close("sender", SOURCE, CLIENT),
            *task_of_files(2),
        ]
    ),
    max_size=12,
)  # fmt: skip


@given(records=RECORDS, rng=st.randoms(use_true_random=False))
def test_every_record_is_in_one_movement_whatever_their_order(records: list[TransferRecord], rng: Random) -> None:
    """None is lost, none counts twice; no movement holds two units of one source, level and observer."""
    shuffled = [*records, *records[::2]]
    rng.shuffle(shuffled)
    groups = matched(units_of(shuffled))
    record_ids = sorted(record.id for group in groups for unit in group.units for record in unit.records)

    assert groups == matched(units_of(records))
    assert record_ids == sorted({record.id for record in records})
    for group in groups:
        sources = [source for unit in group.units for source in unit.sources]
        assert len(sources) == len(set(sources))
