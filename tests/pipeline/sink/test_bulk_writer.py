"""Requests and waits stay within their limits."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.core.bulk import BulkAction
from ingest.core.bulk_result import ItemResult
from ingest.pipeline.sink.bulk_writer import RequestLimits, retry_reason, split
from ingest.pipeline.sink.retry import delay_s


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3000), max_size=40), limit_bytes=st.integers(300, 5000), documents=st.integers(1, 10)
)
def test_every_action_goes_into_exactly_one_request_within_the_limits(
    sizes: list[int], limit_bytes: int, documents: int
) -> None:
    """In order, none left out, none twice; only an action that is too large by itself may exceed the limit, alone."""
    actions = [BulkAction("i", str(n), "x" * size) for n, size in enumerate(sizes)]

    requests = list(split(actions, range(len(actions)), RequestLimits(limit_bytes, documents)))

    assert [n for part in requests for n in part] == list(range(len(actions)))
    for part in requests:
        assert 1 <= len(part) <= documents
        assert len(part) == 1 or sum(sizes[n] for n in part) <= limit_bytes


@settings(deadline=None)
@given(attempt=st.integers(0, 10_000), chance=st.floats(0, 1))
def test_a_wait_grows_to_its_limit_and_never_beyond(attempt: int, chance: float) -> None:
    """Between half and all of the doubled first wait, so that workers do not retry together."""
    wait_s = delay_s(attempt, 0.2, 30.0, chance)

    whole_s = min(30.0, 0.2 * 2 ** min(attempt, 60))
    assert whole_s / 2 <= wait_s <= whole_s


def test_the_reason_names_what_an_operator_has_to_fix_before_what_passes() -> None:
    """One busy item and one blocked index: the reason names the block."""
    reason = retry_reason(
        [ItemResult(429, error="es_rejected_execution_exception"), ItemResult(403, error="cluster_block_exception")]
    )

    assert "cluster_block_exception" in reason
    assert "An operator has to fix this" in reason
    assert "operator" not in retry_reason([ItemResult(429)])
