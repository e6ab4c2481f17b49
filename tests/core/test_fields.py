"""The one list of fields and what is made from it."""

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from ingest.core.fields import Schema, load_schema, without_provenance
from ingest.core.ids import index_pattern
from ingest.core.model import Problem
from tests.core.conftest import GRAMMARS

UNITS = {
    "s": "_s", "ms": "_ms", "bit/s": "_bps", "bytes": "_bytes", "1": "_ratio", "packets": "packets_", "hops": "hops_",
}  # fmt: skip


def test_every_quantity_has_its_unit_in_its_name(schema: Schema) -> None:
    """Our own fields only: ECS names (event.duration, log.offset) are what they are."""
    for field in schema.fields.values():
        if field.name.startswith("perf.network.") and field.unit in UNITS:
            assert UNITS[field.unit] in field.name


def test_mappings_are_strict_at_every_level(schema: Schema) -> None:
    """A field that is not in the list is refused by Elasticsearch, never added."""

    def levels(node: dict[str, Any]) -> None:
        if "properties" in node:
            assert node["dynamic"] == "strict"
            for child in node["properties"].values():
                levels(child)

    for kind in schema.kinds:
        levels(schema.mappings(kind))


def test_every_kind_has_its_fields(schema: Schema) -> None:
    """Dotted names become objects; a kind carries only its own."""
    marks = schema.mappings("marks")["properties"]

    assert marks["perf"]["properties"]["run"]["properties"]["id"]["type"] == "keyword"
    assert "network" not in marks["perf"]["properties"]
    assert marks["event"]["properties"]["original"] == {"type": "keyword", "index": False, "doc_values": False}


def test_provenance_is_left_out_of_a_comparison(schema: Schema) -> None:
    """Two copies of a fact differ only there."""
    body = {"host": {"name": "a"}, "event": {"created": "2016", "original": "x"}, "perf": {"run": {"id": "r"}}}

    assert without_provenance(body, schema) == {"event": {"original": "x"}, "perf": {"run": {"id": "r"}}}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('type = "keyword"', 'type = "word"', "word"),
        ('kinds = ["marks"]', 'kinds = ["remarks"]', "remarks"),
        ('name = "perf.run.id"', 'name = "perf.source"', "twice"),
        ('period = "month"', 'period = "fortnight"', "period"),
        ("[kind.runs]", '[kind."runs-of"]', "runs-of"),
        ("schema_version = ", "[schema_version = ", "fields.toml"),
    ],
)
def test_a_wrong_list_does_not_load(old: str, new: str, says: str, tmp_path: Path) -> None:
    """With the entry named, and the exit code of bad configuration."""
    path = tmp_path / "fields.toml"
    path.write_text((GRAMMARS / "fields.toml").read_text().replace(old, new, 1))

    with pytest.raises(Problem, match=says) as caught:
        load_schema(path)

    assert caught.value.exit_code == 78


LAST_OF_FEBRUARY_MS = 1_456_790_399_999


def test_the_period_of_an_index_is_that_of_its_kind(schema: Schema) -> None:
    """By the month, by the year, or none; a document that stands for no time is of the first period there is."""
    names = {kind: schema.index(kind, "als", LAST_OF_FEBRUARY_MS) for kind in ("marks", "stages", "runs")}

    assert names == {"marks": "perf-marks-als-2016.02", "stages": "perf-stages-als-2016", "runs": "perf-runs-als"}
    assert schema.index("marks", "als", LAST_OF_FEBRUARY_MS + 1) == "perf-marks-als-2016.03"
    assert schema.index("runstate", "als") == "perf-runstate-als"


def test_a_kind_that_gets_another_period_is_written_to_indices_of_it(schema: Schema) -> None:
    """Nothing else has to change; what was written before is still found."""
    runs = replace(schema.kinds["runs"], period="month")
    changed = replace(schema, kinds={**schema.kinds, "runs": runs})
    names = [loaded.index("runs", "als", LAST_OF_FEBRUARY_MS) for loaded in (schema, changed)]

    assert names == ["perf-runs-als", "perf-runs-als-2016.02"]
    for name in names:
        assert any(fnmatchcase(name, part) for part in index_pattern("runs", ("als",)).split(","))
