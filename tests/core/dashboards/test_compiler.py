"""Boards: from the file a person writes to what Kibana imports. Every self-check is made to fail once."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.core.dashboards.checks import MOST_BYTES, check
from ingest.core.dashboards.compiler import board_path, compile_boards
from ingest.core.dashboards.definition import Board, read_board
from ingest.core.dashboards.saved_objects import SavedObject, ndjson, object_id
from ingest.core.fields import Schema
from ingest.core.mark import DOUBTFUL
from ingest.core.model import Problem

FOLDER = Path(__file__).parents[3] / "dashboards"
SPECS = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.vg.json")}
PAIR = [("ALS", "NERSC")]


def _shipped() -> Board:
    tree = tomllib.loads((FOLDER / "runs-beside-the-network.toml").read_text(encoding="utf-8"))
    return read_board(tree, "runs-beside-the-network.toml", SPECS)


def _dashboard(objects: list[SavedObject]) -> SavedObject:
    return objects[-1]


def _panels(objects: list[SavedObject]) -> dict[str, Any]:
    return {panel["panelIndex"]: panel for panel in json.loads(_dashboard(objects)["attributes"]["panelsJSON"])}


def _layer(panel: dict[str, Any]) -> dict[str, Any]:
    layers = panel["embeddableConfig"]["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]
    return dict(layers["results"])


def _state(panel: dict[str, Any]) -> dict[str, Any]:
    return dict(panel["embeddableConfig"]["attributes"]["state"]["visualization"])


@pytest.fixture
def objects(schema: Schema) -> list[SavedObject]:
    """The shipped board, compiled for the pair ALS, NERSC."""
    return compile_boards([_shipped()], schema, SPECS, PAIR)


@pytest.mark.parametrize("pairs", [PAIR, [], [("A", "B"), ("C", "D")]], ids=["one pair", "no pair", "two pairs"])
def test_the_shipped_board_passes_every_check(schema: Schema, pairs: list[tuple[str, str]]) -> None:
    """Whatever pairs the settings name, what would be imported is sound."""
    check(compile_boards([_shipped()], schema, SPECS, pairs), schema)


Breaking = Callable[[dict[str, Any]], None]


def _shift(panels: dict[str, Any]) -> None:
    panels["loss"]["gridData"]["y"] -= 1


def _widen(panels: dict[str, Any]) -> None:
    panels["loss"]["gridData"]["x"] = 1


def _rename_in_grid(panels: dict[str, Any]) -> None:
    panels["loss"]["gridData"]["i"] = "lost"


def _rename_panel(panels: dict[str, Any]) -> None:
    panels["loss"]["panelIndex"] = panels["loss"]["gridData"]["i"] = "failed"


def _second_layer(panels: dict[str, Any]) -> None:
    layers = panels["loss"]["embeddableConfig"]["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]
    layers["more"] = layers["results"]


def _lose_inner_reference(panels: dict[str, Any]) -> None:
    panels["loss"]["embeddableConfig"]["attributes"]["references"][0]["id"] = "another"


def _forget_in_order(panels: dict[str, Any]) -> None:
    _layer(panels["loss"])["columnOrder"].remove("way1")


def _point_nowhere(panels: dict[str, Any]) -> None:
    panels["loss"]["embeddableConfig"]["attributes"]["state"]["visualization"]["layers"][0]["accessors"] = ["way7"]


def _colour_nothing(panels: dict[str, Any]) -> None:
    state = panels["loss"]["embeddableConfig"]["attributes"]["state"]["visualization"]
    state["layers"][0]["yConfig"][0]["forAccessor"] = "way8"


def _ask_unknown_field(panels: dict[str, Any]) -> None:
    _layer(panels["loss"])["columns"]["way0"]["sourceField"] = "perf.network.lost"


def _ask_in_filter(panels: dict[str, Any]) -> None:
    _layer(panels["loss"])["columns"]["way0"]["filter"]["query"] = 'perf.run.id: "a: b"'


def _ask_in_spec(panels: dict[str, Any]) -> None:
    params = panels["stages"]["embeddableConfig"]["savedVis"]["params"]
    params["spec"] = params["spec"].replace("perf.stage.name", "perf.stage.names")


def _ask_other_index(panels: dict[str, Any]) -> None:
    params = panels["stages"]["embeddableConfig"]["savedVis"]["params"]
    params["spec"] = params["spec"].replace("perf-marks-*", "perf-traces-*")


def _break_spec(panels: dict[str, Any]) -> None:
    panels["stages"]["embeddableConfig"]["savedVis"]["params"]["spec"] += "}"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_shift, "panels throughput-1 and loss overlap"),
        (_widen, "panel loss leaves the 48 columns"),
        (_rename_in_grid, "panel loss calls itself lost in its grid"),
        (_rename_panel, "panel failed stands 2 times"),
        (_second_layer, "loss:indexpattern-datasource-layer-more is used but not listed"),
        (_lose_inner_reference, "panel loss has a reference indexpattern-datasource-layer-results of its own"),
        (_forget_in_order, "columnOrder ['time', 'way0'] is not its columns"),
        (_point_nowhere, "panel loss: there is no column way7"),
        (_colour_nothing, "panel loss: there is no column way8"),
        (_ask_unknown_field, "loss asks for perf.network.lost, which no document of kind network has"),
        (_ask_in_filter, "loss asks for perf.run.id, which no document of kind network has"),
        (_ask_in_spec, "stages asks for perf.stage.names, which no document of kind marks has"),
        (_ask_other_index, "stages asks perf-traces-*, which is no kind of document"),
        (_break_spec, "spec is not JSON: Extra data"),
    ],
)
def test_a_broken_panel_is_named(objects: list[SavedObject], schema: Schema, broken: Breaking, message: str) -> None:
    """Each thing that Kibana would import without a word, and then draw wrongly, is refused with its name."""
    panels = _panels(objects)
    broken(panels)
    _dashboard(objects)["attributes"]["panelsJSON"] = json.dumps(list(panels.values()))

    with pytest.raises(Problem) as refused:
        check(objects, schema)

    assert message in refused.value.message
    assert refused.value.exit_code == 65


def _list_twice(objects: list[SavedObject]) -> None:
    _dashboard(objects)["references"].append(_dashboard(objects)["references"][0])


def _list_for_nothing(objects: list[SavedObject]) -> None:
    _dashboard(objects)["references"].append({"name": "spare", "type": "index-pattern", "id": objects[0]["id"]})


def _list_none(objects: list[SavedObject]) -> None:
    _dashboard(objects)["references"].pop(0)


def _leave_out_a_view(objects: list[SavedObject]) -> None:
    objects.pop(0)


def _double_an_object(objects: list[SavedObject]) -> None:
    objects.insert(0, objects[0])


def _control_of_nothing(objects: list[SavedObject]) -> None:
    group = _dashboard(objects)["attributes"]["controlGroupInput"]
    group["panelsJSON"] = group["panelsJSON"].replace("perf.workflow", "perf.work")


def _broken_control(objects: list[SavedObject]) -> None:
    _dashboard(objects)["attributes"]["controlGroupInput"]["panelsJSON"] = "{"


def _broken_formats(objects: list[SavedObject]) -> None:
    objects[0]["attributes"]["fieldFormatMap"] = "{'a'}"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (_list_twice, "reference controlGroup_run:optionsListDataView stands 2 times"),
        (_list_for_nothing, "reference spare is listed but not used"),
        (_list_none, "reference controlGroup_run:optionsListDataView is used but not listed"),
        (_leave_out_a_view, "which is not in the file"),
        (_double_an_object, "stands 2 times in the file"),
        (_control_of_nothing, "workflow asks for perf.work, which no document of kind marks has"),
        (_broken_control, "panelsJSON is not JSON"),
        (_broken_formats, "fieldFormatMap is not JSON"),
    ],
)
def test_a_broken_file_is_named(
    objects: list[SavedObject], schema: Schema, broken: Callable[[list[SavedObject]], None], message: str
) -> None:
    """References, ids and JSON within strings are checked over the whole file."""
    broken(objects)

    with pytest.raises(Problem) as refused:
        check(objects, schema)

    assert message in refused.value.message


def test_a_file_beyond_what_kibana_takes_is_refused(objects: list[SavedObject], schema: Schema) -> None:
    """The limit is Kibana's, counted in bytes of the file as it would be sent."""
    size_bytes = len(ndjson(objects))
    assert size_bytes < MOST_BYTES

    check(objects, schema, most_bytes=size_bytes)
    with pytest.raises(Problem, match=f"has {size_bytes} bytes, Kibana takes {size_bytes - 1}"):
        check(objects, schema, most_bytes=size_bytes - 1)


def test_versions_are_those_that_8_9_knows(objects: list[SavedObject]) -> None:
    """A newer one would make an older Kibana refuse the whole file; a missing one would run every migration."""
    versions = {(item["type"], item["typeMigrationVersion"], item["coreMigrationVersion"]) for item in objects}

    assert versions == {("index-pattern", "8.0.0", "8.8.0"), ("dashboard", "8.9.0", "8.8.0")}


def test_ids_stay_and_differ_from_space_to_space(schema: Schema) -> None:
    """A link to the board works for ever; Kibana's ids are global, so that each space needs its own."""
    first, second = (compile_boards([_shipped()], schema, SPECS, PAIR, space) for space in ("", "als"))

    assert _dashboard(first)["id"] == "2c0b6099-1d8b-5529-bf70-5ad7fc90f180"
    assert not {item["id"] for item in first} & {item["id"] for item in second}
    check(second, schema)


def test_data_views_come_from_the_kinds(objects: list[SavedObject], schema: Schema) -> None:
    """Each kind that people read has one; perflog's own state has none; formats follow the units."""
    views = {item["attributes"]["title"]: item["attributes"] for item in objects if item["type"] == "index-pattern"}

    assert list(views) == [f"perf-{name}-*" for name, kind in schema.kinds.items() if kind.write != "cas"]
    assert all(view["timeFieldName"] == "@timestamp" and view["allowNoIndex"] for view in views.values())
    formats = json.loads(views["perf-network-*"]["fieldFormatMap"])
    assert formats["perf.network.throughput_bps"] == {"id": "number", "params": {"pattern": "0,0.[00] bitd"}}
    assert formats["perf.network.loss_ratio"]["id"] == "percent"
    assert formats["perf.network.delay_median_ms"]["params"]["inputFormat"] == "milliseconds"
    assert formats["event.duration"]["params"]["inputFormat"] == "nanoseconds"
    assert "perf.network.hops_min" not in formats


def test_a_direction_is_never_mixed_with_its_reverse(objects: list[SavedObject]) -> None:
    """Each pair gives two series, and each asks for both of its ends."""
    columns = _layer(_panels(objects)["delay-p95"])["columns"]

    queries = {column["label"]: column["filter"]["query"] for key, column in columns.items() if key != "time"}
    assert queries == {
        "ALS → NERSC": '(source.site: "ALS" and destination.site: "NERSC")',
        "NERSC → ALS": '(source.site: "NERSC" and destination.site: "ALS")',
    }


def test_without_pairs_both_addresses_make_a_series(schema: Schema) -> None:
    """A facility that has not named its pairs yet sees every direction by its two addresses."""
    layer = _layer(_panels(compile_boards([_shipped()], schema, SPECS))["throughput"])

    assert layer["columnOrder"] == ["time", "ends", "value"]
    assert layer["columns"]["ends"]["sourceField"] == "source.address"
    assert layer["columns"]["ends"]["params"]["secondaryFields"] == ["destination.address"]


def test_a_site_cannot_end_the_query_it_stands_in(schema: Schema) -> None:
    """Quotes and backslashes in a name are data."""
    columns = _layer(_panels(compile_boards([_shipped()], schema, SPECS, [('a" or "', "b\\")]))["delay-p95"])["columns"]

    assert columns["way0"]["filter"]["query"] == '(source.site: "a\\" or \\"" and destination.site: "b\\\\")'


def test_missing_is_never_drawn_as_zero(objects: list[SavedObject]) -> None:
    """No fitting over gaps, no 0 for an empty interval, and empty intervals are there to be seen as gaps."""
    charts = [
        panel for key, panel in _panels(objects).items() if key in ("throughput", "loss", "delay-median", "failed")
    ]

    for panel in charts:
        assert panel["embeddableConfig"]["attributes"]["state"]["visualization"]["fittingFunction"] == "None"
        columns = _layer(panel)["columns"]
        assert columns["time"]["params"]["includeEmptyRows"] is True
        assert all(column["params"]["emptyAsNull"] for key, column in columns.items() if key != "time")


def test_a_point_is_the_worst_of_its_interval_in_its_unit(objects: list[SavedObject]) -> None:
    """The slowest throughput, the greatest loss and delay; the unit is written at the axis."""
    panels = {key: panel for key, panel in _panels(objects).items() if panel["type"] == "lens"}
    columns = {
        key: _layer(panel)["columns"]["way0"] for key, panel in panels.items() if key not in ("failures", "made-up")
    }

    assert {key: column["operationType"] for key, column in columns.items()} == {
        "throughput-0": "min", "throughput-1": "min", "loss": "max",
        "delay-median": "max", "delay-p95": "max", "failed": "count",
    }  # fmt: skip
    units = {key: column["params"].get("format", {}) for key, column in columns.items()}
    assert (units["throughput-0"]["id"], units["throughput-0"]["params"]["suffix"]) == ("bits", "/s")
    assert units["loss"]["id"] == "percent"
    assert units["delay-p95"]["params"]["suffix"] == " ms"


def test_rare_tests_get_a_panel_a_direction_on_the_same_axis(schema: Schema) -> None:
    """Bars beside each other would leave the time axis; below each other they keep it, while there is room."""
    of_one_pair, of_two_pairs = (
        _panels(compile_boards([_shipped()], schema, SPECS, pairs)) for pairs in (PAIR, [*PAIR, ("C", "D")])
    )

    halves = [of_one_pair["throughput-0"], of_one_pair["throughput-1"]]
    assert [half["title"].rsplit(", ", 1)[1] for half in halves] == ["ALS → NERSC", "NERSC → ALS"]
    assert [(half["gridData"]["y"], half["gridData"]["h"]) for half in halves] == [(38, 7), (45, 7)]
    assert [_state(half)["layers"][0]["seriesType"] for half in halves] == ["bar_stacked", "bar_stacked"]
    assert list(_layer(of_two_pairs["throughput"])["columns"]) == ["time", "way0", "way1", "way2", "way3"]
    assert _state(of_two_pairs["throughput"])["layers"][0]["seriesType"] == "bar"


def test_a_direction_has_one_colour_on_the_whole_board(objects: list[SavedObject]) -> None:
    """Whether it has a panel of its own or shares one."""
    colours: dict[str, set[str]] = {}
    for panel in (panel for panel in _panels(objects).values() if panel["type"] == "lens"):
        columns = _layer(panel)["columns"]
        for colour_setting in _state(panel).get("layers", [{}])[0].get("yConfig", ()):
            colours.setdefault(columns[colour_setting["forAccessor"]]["label"], set()).add(colour_setting["color"])

    assert colours == {"ALS → NERSC": {"#DA8B45"}, "NERSC → ALS": {"#9170B8"}}


def test_made_up_results_are_counted_in_sight(objects: list[SavedObject]) -> None:
    """The demo's network is not taken for a measured one; here 0 is an answer."""
    column = _layer(_panels(objects)["made-up"])["columns"]["value"]

    assert column["filter"]["query"] == "perf.synthetic: true"
    assert column["params"]["emptyAsNull"] is False


def test_loss_is_of_one_way_tests_only(objects: list[SavedObject]) -> None:
    """One lost ping of ten is 10 % there and back: beside OWAMP's it would drown them."""
    query = _layer(_panels(objects)["loss"])["columns"]["way0"]["filter"]["query"]

    assert query.startswith('(perf.network.test_type: ("latency" or "latencybg")) and (source.site')


def test_network_panels_do_not_follow_the_runs_controls(objects: list[SavedObject]) -> None:
    """A choice of a run would empty them; and as Kibana then drops a chart's query, it stands in the columns."""
    for key in ("throughput-0", "loss", "failed", "failures"):
        panel = _panels(objects)[key]
        assert _layer(panel)["ignoreGlobalFilters"] is True
        assert panel["embeddableConfig"]["attributes"]["state"]["query"]["query"] == ""
    failed = _layer(_panels(objects)["failed"])["columns"]["way0"]["filter"]["query"]
    assert failed.startswith('(event.outcome: "failure") and (source.site')


def test_the_stage_panel_asks_around_its_window_and_tells_when_it_is_cut() -> None:
    """A gap across the window's edge keeps its length, and a cut answer is not taken for the whole."""
    spec = json.loads(SPECS["stages.vg.json"])
    body = spec["data"][0]["url"]["body"]
    reach = next(part for part in body["query"]["bool"]["filter"] if isinstance(part, dict))["range"]["@timestamp"]

    assert (reach["gte"]["shift"], reach["lte"]["shift"], reach["gte"]["unit"]) == (-1, 1, "day")
    assert (body["size"], body["track_total_hits"], body["sort"]) == (10000, True, [{"@timestamp": {"order": "desc"}}])
    assert "CUT: the newest" in SPECS["stages.vg.json"]


def test_the_stage_panel_measures_from_no_doubtful_stamp(schema: Schema) -> None:
    """The words that it leaves out are those of the marks, and it asks for the flags."""
    spec = json.loads(SPECS["stages.vg.json"])
    rows = next(data for data in spec["data"] if data["name"] == "marks_of_runs")["transform"]
    expressions = {row["as"]: row["expr"] for row in rows if row["type"] == "formula"}
    words = expressions["is_doubtful"].split("(^|,)(")[1].split(")")[0].split("|")

    assert set(words) == DOUBTFUL <= schema.flags.keys()
    assert "perf.flags" in spec["data"][0]["url"]["body"]["fields"]
    assert expressions["lag_s"].startswith("datum.is_doubtful ? 0 : ")


def test_the_import_file_has_an_object_a_line(objects: list[SavedObject], schema: Schema) -> None:
    """Data views first, one for each kind that people look at, so that a diff of two files is small."""
    lines = ndjson(objects).decode().splitlines()

    data_views = [kind for kind in schema.kinds.values() if kind.write != "cas"]
    assert [json.loads(line) for line in lines] == objects
    assert [item["type"] for item in objects] == ["index-pattern"] * len(data_views) + ["dashboard"]
    assert "≤ start to next start" in lines[-1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "/app/dashboards#/view/{}"),
        (("a b",), "/s/a%20b/app/dashboards#/view/{}"),
        (("", "now-24h", "now"), "/app/dashboards#/view/{}?_g=(time:(from:'now-24h',to:'now'))"),
        (("", "2016-02-05T21:30:00-08:00", "2016-02-07"),
         "/app/dashboards#/view/{}?_g=(time:(from:'2016-02-06T05:30:00.000Z',to:'2016-02-07T00:00:00.000Z'))"),
        (("", "now'))&x", "now"), "/app/dashboards#/view/{}?_g=(time:(from:'now%27%29%29%26x',to:'now'))"),
        (("", "2016-02-06", ""), "/app/dashboards#/view/{}"),
    ],
)  # fmt: skip
def test_the_boards_address(arguments: tuple[str, ...], expected: str) -> None:
    """With a time range, in UTC with milliseconds as Kibana writes instants; nothing in it can leave its quotes."""
    space = arguments[0] if arguments else ""

    assert board_path("k", *arguments) == expected.format(object_id("dashboard", "k", space))


_GRID = {"x": 0, "y": 0, "w": 48, "h": 5}
_BOARD = {"key": "b", "title": "B", "description": "", "time": {"from": "now-1h", "to": "now"}}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"colour": "red"}, "['colour'] is not known there"),
        ({"panels": []}, "written one by one"),
        ({"panel": [{"key": "p", "form": "pie", "grid": _GRID}]}, "panel `p`: there is no form `pie`"),
        ({"panel": [{"key": "p", "form": "vega", "grid": _GRID, "spec": "no.json"}]}, "no file `no.json`"),
        ({"panel": [{"key": "p", "form": "markdown"}]}, "panel `p`, grid: None is not known"),
        ({"panel": [{"key": "p", "form": "markdown", "grid": {"x": 0}}]}, "missing 3 required positional arguments"),
        ({"panel": [{"key": "p", "form": "markdown", "grid": _GRID, "colour": "red"}]}, "['colour'] is not known"),
        ({"panel": [{"key": "p", "form": "lines", "grid": _GRID}]}, "`field` and `worst_of` go together"),
        ({"panel": [{"key": "p", "form": "bars", "grid": _GRID, "field": "a", "worst_of": "avg"}]}, "go together"),
        ({"control": [{"key": k, "kind": k, "field": "f", "title": "t"} for k in "ab"]}, "more than one kind"),
    ],
)
def test_a_board_that_is_written_wrongly_says_where(tree: dict[str, Any], message: str) -> None:
    """The file and the panel are named, and what would have been right."""
    with pytest.raises(Problem) as refused:
        read_board({**_BOARD, **tree}, "b.toml", {})

    assert refused.value.message.startswith("b.toml")
    assert message in refused.value.message
    assert refused.value.exit_code == 65
