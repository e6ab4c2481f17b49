"""Which records share an id; of two versions of one fact the newer counts."""

import pytest

from ingest.core.movements.record import TransferRecord
from ingest.core.movements.units import UnitKey, unit_key, units_of
from tests.support.transfer_records import close, dtn, fts, globus, rucio


@pytest.mark.parametrize(
    ("record", "key"),
    [
        (globus("ABC"), UnitKey("task", "globus", "abc")),
        (dtn("sender", 1, 1, task="Abc"), UnitKey("task", "globus", "abc")),
        (dtn("sender", 1, 1, task=None), UnitKey("file", "gridftp", "sender-1")),
        (fts(901), UnitKey("file", "fts", "job-7/901")),
        (rucio("c0ffee"), UnitKey("file", "rucio", "c0ffee")),
        (close("sender", *(fts(1).origin, fts(1).target), id="doc"), UnitKey("file", "xrootd_close", "doc")),
    ],
)
def test_the_largest_unit_whose_records_share_an_id(record: TransferRecord, key: UnitKey) -> None:
    """A task of Globus; else one file. Nothing tells when all of a job or of a rule has moved."""
    assert unit_key(record) == key


def test_a_newer_version_of_a_fact_replaces_the_older() -> None:
    """In whatever order they came; a poll does not count beside the end."""
    poll = globus(id="doc", version=4, bytes=1, final=False)
    end = globus(id="doc", version=6)

    for records in ([poll, end], [end, poll]):
        (unit,) = units_of(records)
        assert unit.records == (end,)
