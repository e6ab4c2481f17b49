"""What the stage panel asks, asked of the real node as Kibana would ask it, about marks with the real mappings."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from ingest.core.fields import load_schema
from ingest.edge.local.stack import Running

ROOT = Path(__file__).parents[2]
INDEX = "perf-marks-boardsearch-2016.02"
ROLES = {"START_DATE": "start", "QSTART_DATE": "queued", "WSTART_DATE": "work"}
DAY_MS = 86_400_000


def _as_kibana(part: Any, window: tuple[int, int]) -> Any:
    """Fill in the search as Kibana does: the ends of the window (unix ms), and no filters of the board."""
    if isinstance(part, dict):
        if "%timefilter%" in part:
            return window[part["%timefilter%"] == "max"] + part.get("shift", 0) * DAY_MS
        return {key: _as_kibana(inner, window) for key, inner in part.items()}
    if isinstance(part, list):
        return [_as_kibana(inner, window) for inner in part if not str(inner).startswith("%dashboard_context")]
    return part


@pytest.fixture(scope="module")
def marks(stack: Running) -> Iterator[Elasticsearch]:
    """The 35 lines as marks, and one that names no run."""
    client = Elasticsearch(stack.elasticsearch)
    schema = load_schema(ROOT / "grammars" / "fields.toml")
    client.indices.create(index=INDEX, mappings=schema.mappings("marks"))
    with (ROOT / "tests" / "data" / "als_perf_truth.csv").open(encoding="utf-8") as truth:
        documents = [_mark(row) for row in csv.DictReader(truth)]
    documents.append({"@timestamp": documents[0]["@timestamp"], "perf": {"facility": "boardsearch"}})
    for document in documents:
        client.index(index=INDEX, document=document)
    client.indices.refresh(index=INDEX)
    yield client
    client.indices.delete(index=INDEX)
    client.close()


def _mark(row: dict[str, str]) -> dict[str, Any]:
    when = datetime.fromtimestamp(int(row["value_epoch_s"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    mark = {"role": ROLES[row["key"]], "key": row["key"], "emit_lag_s": float(row["lag_s"])}
    run, stage = {"id": row["run_id"]}, {"name": row["stage"]}
    return {"@timestamp": when, "perf": {"facility": "boardsearch", "run": run, "stage": stage, "mark": mark}}


@pytest.mark.stack
def test_the_search_of_the_stage_panel_returns_its_values(marks: Elasticsearch) -> None:
    """A window within the first run: the day around it too, flat values, instants in ms, the mark without a run."""
    spec = json.loads((ROOT / "dashboards" / "stages.vg.json").read_text(encoding="utf-8"))
    window = (1_454_737_000_000, 1_454_738_000_000)
    body = _as_kibana(spec["data"][0]["url"]["body"], window)

    answer = marks.search(index=INDEX, body=body)

    assert answer["hits"]["total"]["value"] == len(answer["hits"]["hits"]) == 36
    first = answer["hits"]["hits"][-1]
    newest = answer["hits"]["hits"][0]
    assert newest["sort"] == [1_454_784_562_000]
    assert newest["fields"] == {
        "perf.facility": ["boardsearch"],
        "perf.run.id": ["1086857-64636"],
        "perf.stage.name": ["SUBMIT_SINO"],
        "perf.mark.role": ["start"],
        "perf.mark.emit_lag_s": [3.0],
    }
    assert first["sort"] == [1_454_737_177_000]
    bucket = answer["aggregations"]["window"]["buckets"][0]
    assert (bucket["from"], bucket["to"]) == window
    assert (bucket["doc_count"], bucket["without_run"]["doc_count"]) == (6, 1)
