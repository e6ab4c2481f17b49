"""What a search asks Elasticsearch for: literal, as the server takes it."""

import pytest

from ingest.edge.elasticsearch import query
from ingest.edge.elasticsearch.alerts import AlertQuery
from ingest.edge.elasticsearch.facts import FactQuery
from ingest.edge.elasticsearch.files import GapQuery
from ingest.edge.elasticsearch.rejects import RejectQuery
from ingest.edge.elasticsearch.runs import RunQuery

NOT_RETRACTED = [{"term": {"perf.retracted": True}}]


@pytest.mark.parametrize("empty", [AlertQuery(), FactQuery(), GapQuery(), RejectQuery()])
def test_a_query_without_conditions_matches_all(empty: AlertQuery | FactQuery | GapQuery | RejectQuery) -> None:
    """No clause at all: a condition that is not set must not select anything."""
    assert empty.body == {"bool": {"filter": []}}


def test_runs_that_were_retracted_are_never_selected() -> None:
    """With and without conditions."""
    chosen = RunQuery(workflows=("w",), runs=("1-2", "1-3"), since_ms=5, instance=2)

    assert RunQuery().body == {"bool": {"filter": [], "must_not": NOT_RETRACTED}}
    assert chosen.body == {
        "bool": {
            "filter": [
                {"terms": {"perf.workflow": ["w"]}},
                {"terms": {"perf.run.id": ["1-2", "1-3"]}},
                {"terms": {"perf.run.instance": [2]}},
                {"range": {"@timestamp": {"gte": 5, "format": "epoch_millis"}}},
            ],
            "must_not": NOT_RETRACTED,
        }
    }


def test_facts_are_selected_by_paths_with_wildcards() -> None:
    """`*` matches anything; the other letters that Elasticsearch would take as wildcards stand for themselves."""
    selection = FactQuery(sources=("als_perf",), files=(r"/a?/*.log", r"\b"), since_ms=1, until_ms=2)

    sources, paths, times = selection.body["bool"]["filter"]

    assert sources == {"terms": {"perf.source": ["als_perf"]}}
    assert paths == {
        "bool": {
            "should": [
                {"wildcard": {"log.file.path": r"/a\?/*.log"}},
                {"wildcard": {"log.file.path": r"\\b"}},
            ],
            "minimum_should_match": 1,
        }
    }
    assert times == {"range": {"@timestamp": {"gte": 1, "lt": 2, "format": "epoch_millis"}}}


def test_gaps_are_selected_by_a_path_or_its_end() -> None:
    """A name is taken literally: no letter in it is a wildcard."""
    hosts, files, states = GapQuery(files=("a*.log",), hosts=("h",), states=("open",)).body["bool"]["filter"]

    assert hosts == {"terms": {"host.name": ["h"]}}
    assert files["bool"]["should"] == [
        {"term": {"log.file.path": "a*.log"}},
        {"wildcard": {"log.file.path": r"*/a\*.log"}},
    ]
    assert states == {"terms": {"perf.gap.state": ["open"]}}


@pytest.mark.parametrize("replayed", [True, False, None])
def test_rejects_are_selected_by_id_or_dead_letter_and_by_replay(replayed: bool | None) -> None:
    """An id may be that of the reject or the coordinates of its letter."""
    by_id, *rest = RejectQuery(ids=("t/0/1",), replayed=replayed).body["bool"]["filter"]
    exists = {"exists": {"field": "perf.reject.replayed"}}

    assert by_id["bool"]["should"] == [{"ids": {"values": ["t/0/1"]}}, {"terms": {"perf.reject.letter": ["t/0/1"]}}]
    assert rest == {True: [exists], False: [{"bool": {"must_not": [exists]}}], None: []}[replayed]


def test_a_time_may_be_bounded_on_one_side_on_both_or_not_at_all() -> None:
    """The upper bound of a selection is exclusive, that of `between` inclusive; 0 is a bound."""
    assert query.within(None, None) == []
    assert query.within(0, None) == [{"range": {"@timestamp": {"gte": 0, "format": "epoch_millis"}}}]
    assert query.within(None, 7) == [{"range": {"@timestamp": {"lt": 7, "format": "epoch_millis"}}}]
    assert query.between(1, 7) == {"range": {"@timestamp": {"gte": 1, "lte": 7, "format": "epoch_millis"}}}


def test_texts_are_taken_literally() -> None:
    """As the end of a value, or anywhere in it."""
    assert query.ending("f", r"a*b?\c") == {"wildcard": {"f": r"*a\*b\?\\c"}}
    assert query.containing("f", "1*") == {"wildcard": {"f": r"*1\**"}}
