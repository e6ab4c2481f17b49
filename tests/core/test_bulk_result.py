"""What an answer means: tables, so that every case that was ever seen stands in one place."""

import pytest

from ingest.core.bulk_result import Answer, Meaning, final, meaning
from ingest.core.records.outcomes import OUTCOMES, fate, outcome


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(201, "created"), Meaning.STORED),
        (Answer(200, "updated"), Meaning.CORRECTED),
        (Answer(409, error="version_conflict_engine_exception"), Meaning.PRESENT),
        (Answer(201, "created", failure_store=True), Meaning.REFUSED),
        (Answer(400, error="strict_dynamic_mapping_exception"), Meaning.REFUSED),
        (Answer(400, error="document_parsing_exception"), Meaning.REFUSED),
        (Answer(400, error="mapper_parsing_exception"), Meaning.REFUSED),
        (Answer(400, error="illegal_argument_exception"), Meaning.REFUSED),
        (Answer(413, error="too_large"), Meaning.REFUSED),
        (Answer(429, error="es_rejected_execution_exception"), Meaning.AGAIN),
        (Answer(429, error="circuit_breaking_exception"), Meaning.AGAIN),
        (Answer(500, error="null_pointer_exception"), Meaning.AGAIN),
        (Answer(503, error="unavailable_shards_exception"), Meaning.AGAIN),
        (Answer(400, error="index_closed_exception"), Meaning.OURS),
        (Answer(400, error="validation_exception"), Meaning.OURS),
        (Answer(400, error="invalid_index_name_exception"), Meaning.OURS),
        (Answer(403, error="cluster_block_exception"), Meaning.OURS),
        (Answer(403, error="security_exception"), Meaning.OURS),
        (Answer(404, error="index_not_found_exception"), Meaning.OURS),
        (Answer(400, error="something_new_exception"), Meaning.OURS),
    ],
)
def test_only_the_documents_own_faults_are_refusals(answer: Answer, expected: Meaning) -> None:
    """What is not known to be the document's fault is ours: paused for and asked again, never thrown away."""
    assert meaning(answer) is expected
    assert final(answer) is (expected not in (Meaning.AGAIN, Meaning.OURS))


@pytest.mark.parametrize(
    ("found", "origin", "expected"),
    [
        (Meaning.STORED, None, "stored"),
        (Meaning.CORRECTED, None, "corrected"),
        (Meaning.REFUSED, None, "rejected"),
        (Meaning.PRESENT, "t/0/7", "stored"),
        (Meaning.PRESENT, "t/0/8", "duplicate"),
        (Meaning.PRESENT, None, "duplicate"),
    ],
)
def test_a_redelivery_of_the_same_record_is_no_duplicate(found: Meaning, origin: str | None, expected: str) -> None:
    """A crash before the commit must not turn what was stored into a duplicate."""
    assert fate(found, origin, "t/0/7") == expected


@pytest.mark.parametrize(
    ("rejected", "fates", "expected"),
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
def test_a_record_counts_once_under_the_first_that_applies(rejected: bool, fates: list[str], expected: str) -> None:
    """The order of OUTCOMES decides, whatever the number of its documents."""
    assert outcome(rejected, fates) == expected
    assert expected in OUTCOMES
