"""What an answer means: tables, so that every case that was ever seen stands in one place."""

import pytest

from ingest.core.bulk_result import ItemResult, ItemStatus, is_final, item_status
from ingest.core.records.outcomes import OUTCOMES, document_outcome, record_outcome


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ItemResult(201, "created"), ItemStatus.STORED),
        (ItemResult(200, "updated"), ItemStatus.CORRECTED),
        (ItemResult(409, error="version_conflict_engine_exception"), ItemStatus.CONFLICT),
        (ItemResult(201, "created", failure_store=True), ItemStatus.REJECTED),
        (ItemResult(400, error="strict_dynamic_mapping_exception"), ItemStatus.REJECTED),
        (ItemResult(400, error="document_parsing_exception"), ItemStatus.REJECTED),
        (ItemResult(400, error="mapper_parsing_exception"), ItemStatus.REJECTED),
        (ItemResult(400, error="illegal_argument_exception"), ItemStatus.REJECTED),
        (ItemResult(413, error="too_large"), ItemStatus.REJECTED),
        (ItemResult(429, error="es_rejected_execution_exception"), ItemStatus.RETRY),
        (ItemResult(429, error="circuit_breaking_exception"), ItemStatus.RETRY),
        (ItemResult(500, error="null_pointer_exception"), ItemStatus.RETRY),
        (ItemResult(503, error="unavailable_shards_exception"), ItemStatus.RETRY),
        (ItemResult(400, error="index_closed_exception"), ItemStatus.BLOCKED),
        (ItemResult(400, error="validation_exception"), ItemStatus.BLOCKED),
        (ItemResult(400, error="invalid_index_name_exception"), ItemStatus.BLOCKED),
        (ItemResult(403, error="cluster_block_exception"), ItemStatus.BLOCKED),
        (ItemResult(403, error="security_exception"), ItemStatus.BLOCKED),
        (ItemResult(404, error="index_not_found_exception"), ItemStatus.BLOCKED),
        (ItemResult(400, error="something_new_exception"), ItemStatus.BLOCKED),
    ],
)
def test_only_the_documents_own_faults_are_refusals(answer: ItemResult, expected: ItemStatus) -> None:
    """What is not known to be the document's fault is ours: paused for and asked again, never thrown away."""
    assert item_status(answer) is expected
    assert is_final(answer) is (expected not in (ItemStatus.RETRY, ItemStatus.BLOCKED))


@pytest.mark.parametrize(
    ("status", "origin", "expected"),
    [
        (ItemStatus.STORED, None, "stored"),
        (ItemStatus.CORRECTED, None, "corrected"),
        (ItemStatus.REJECTED, None, "rejected"),
        (ItemStatus.CONFLICT, "t/0/7", "stored"),
        (ItemStatus.CONFLICT, "t/0/8", "duplicate"),
        (ItemStatus.CONFLICT, None, "duplicate"),
    ],
)
def test_a_redelivery_of_the_same_record_is_no_duplicate(status: ItemStatus, origin: str | None, expected: str) -> None:
    """A crash before the commit must not turn what was stored into a duplicate."""
    assert document_outcome(status, origin, "t/0/7") == expected


@pytest.mark.parametrize(
    ("rejected", "outcomes", "expected"),
    [
        (False, [], "ignored"),
        (True, [], "rejected"),
        (True, ["stored"], "rejected"),
        (False, ["duplicate", "stored"], "stored"),
        (False, ["stored", "corrected"], "corrected"),
        (False, ["duplicate", "duplicate"], "duplicate"),
        (False, ["stored", "rejected", "corrected"], "rejected"),
    ],
)
def test_a_record_counts_once_under_the_first_that_applies(rejected: bool, outcomes: list[str], expected: str) -> None:
    """The order of OUTCOMES decides, whatever the number of its documents."""
    assert record_outcome(rejected, outcomes) == expected
    assert expected in OUTCOMES
