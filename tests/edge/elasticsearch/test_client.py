"""How a command meets an Elasticsearch that does not answer."""

import pytest

from ingest.config.settings import Elasticsearch
from ingest.core.model import ExitCode, Problem
from ingest.edge.elasticsearch.client import session
from ingest.edge.elasticsearch.search import Search
from tests.conftest import free_port


def test_an_error_of_a_session_is_a_plain_sentence() -> None:
    """It has the address and the exit code of an unavailable service, and no text of the client library."""
    url = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(Problem, match=url) as caught, session(Elasticsearch(url=(url,))) as connected:
        Search(connected).refresh("perf-runs-*")

    assert caught.value.exit_code == ExitCode.UNAVAILABLE


def test_a_session_leaves_other_exceptions_alone() -> None:
    """What goes wrong within it and is not Elasticsearch's comes through as it is."""
    with pytest.raises(KeyError), session(Elasticsearch(url=("http://127.0.0.1:9",))):
        raise KeyError("mine")
