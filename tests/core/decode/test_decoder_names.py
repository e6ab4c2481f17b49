"""What names, groups or tells apart is never cut: cut, two of them would be one."""

from collections.abc import Callable
from typing import Any

import pytest

from ingest.core.decode.decoder import Decoder
from ingest.core.ids import MAX_NAME, fitting
from ingest.core.model import Message, Reject
from ingest.core.sources.convert import CONVERSIONS
from ingest.core.sources.wrapping.wrappers import Wrapper, unwrapped
from tests.support.messages import document, flags, network, reject

FlowOf = Callable[..., Decoder]
FITS, LONGER = "r" * MAX_NAME, "r" * (MAX_NAME + 1)
PERF = "Wed Mar 4 11:20:05 PST 2026: a.sh:69:{run}:PERF:{stage}:{key}START_DATE=1772652005"
EVENT = "ts=2026-03-04T19:20:05Z event={event} guid={guid}"


def perf(run: str = "1-2", stage: str = "SUBMIT", key: str = "") -> str:
    """A line of the ALS."""
    return PERF.format(run=run, stage=stage, key=key)


def event(guid: str = "g", name: str = "a.start") -> str:
    """A NetLogger line."""
    return EVENT.format(event=name, guid=guid)


@pytest.mark.parametrize(
    ("source", "fits", "longer"),
    [
        ("als_perf", perf(run=FITS), perf(run=LONGER)),
        ("als_perf", perf(stage=FITS), perf(stage=LONGER)),
        ("als_perf", perf(key="K" * (MAX_NAME - 10)), perf(key="K" * MAX_NAME)),
        ("netlogger", event(guid=FITS), event(guid=LONGER)),
        ("netlogger", event(name=FITS), event(name=LONGER)),
    ],
)
def test_a_line_whose_name_no_index_takes_whole_is_refused(
    flow_of: FlowOf, source: str, fits: str, longer: str
) -> None:
    """Run, stage, key: the reason says what is too long, and the place is told."""
    assert document(flow_of(source), fits)
    rejected = reject(flow_of(source), longer)

    assert rejected.reason == "value"
    assert "more than the 1,024 of a name" in rejected.detail
    assert rejected.column is not None


def test_two_long_run_ids_that_begin_alike_are_not_one(flow_of: FlowOf) -> None:
    """Neither is stored under what both begin with."""
    for last in "ab":
        assert reject(flow_of("als_perf"), perf(run=FITS + last)).reason == "value"


@pytest.mark.parametrize("name", ["text", "basename"])
def test_a_conversion_to_a_name_cuts_nothing(name: str) -> None:
    """The last part of a path may be a name where the whole path is none."""
    convert = CONVERSIONS[name]
    assert convert(FITS) == FITS
    with pytest.raises(ValueError, match="1,025 characters"):
        convert(LONGER)
    assert CONVERSIONS["basename"](f"https://h/{LONGER}/run/") == "run"


def test_names_in_a_result_that_no_index_takes_are_left_out_and_flagged(flow_of: FlowOf) -> None:
    """Ends, task, tool: the numbers are worth keeping without them."""
    run: dict[str, Any] = {
        "id": "0b7c6f0e-7c1d-4f0a-9c57-3f2b6a1d9e10",
        "run": {"start-time": "2026-03-04T19:20:05Z", "state": "finished"},
        "test": {"type": "rtt", "spec": {"source": LONGER, "dest": "h.example"}},
        "reference": {"display-task-name": LONGER},
        "result": {"succeeded": True, "sent": 1, "received": 1, "lost": 0},
    }
    stored = document(flow_of("perfsonar"), run)

    assert flags(stored) == ["value_unreadable"]
    assert "address" not in stored.body.get("source", {})
    assert "task_name" not in network(stored)
    assert network(stored)["packets_sent"] == 1


def test_a_file_with_a_long_path_is_no_other_file() -> None:
    """What tells files apart is shortened by a digest of the whole, as long as an index takes."""
    paths = [FITS, f"{LONGER}a", f"{LONGER}b"]
    short = [fitting(path) for path in paths]

    assert short[0] == FITS
    assert len(set(short)) == 3
    assert all(len(name) <= MAX_NAME for name in short)
    wrapper = Wrapper("w", ("message",), path=("path",), host=("host",))
    for path in paths:
        data = f'{{"message":"x","path":"{path}","host":"{path}"}}'.encode()
        inner = unwrapped(Message(data, 0), wrapper)
        assert not isinstance(inner, Reject)
        assert (inner.provenance.path, inner.provenance.host) == (fitting(path), fitting(path))
