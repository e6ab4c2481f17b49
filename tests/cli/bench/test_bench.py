"""`perflog bench parse`: figures beside their yardsticks, and lines that are really all different."""

import json
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from ingest.cli.bench.bench import moved
from ingest.config.load import load_settings
from ingest.edge.kafka.topics import open_topics
from ingest.edge.local.stack import Running
from tests.cli.sources.test_try import GRAMMARS
from tests.support.cli import perflog, process


def test_rates_stand_beside_their_yardsticks() -> None:
    """A small run with --json prints every rate, and each is above 0."""
    done = perflog("bench", "parse", "--lines", "2000", "--repeat", "1", "--json")
    report = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert len(report["rates"]) == 5
    assert all(rate > 0 for rate in report["rates"].values())


def test_the_lines_of_the_bench_differ_and_are_accepted() -> None:
    """They keep the distance of stamp and value; none repeats; the first round is the sample itself."""
    sample = (GRAMMARS / "als_perf" / "samples.log").read_bytes().splitlines()
    lines = list(moved(sample, 500))
    done = perflog("try", "--source", "als_perf", "-", stdin=b"\n".join(lines))
    documents = [json.loads(line)["document"] for line in done.stdout.splitlines()]

    assert lines[:35] == sample
    assert len(set(lines)) == 500
    assert done.returncode == 0
    assert {body["perf"]["mark"]["emit_lag_s"] for body in documents} <= {0, 1, 2, 3, 7, 12, 13, 14, 26}


@pytest.mark.stack
def test_the_worker_is_measured_beside_the_limit_and_leaves_nothing_behind(stack: Running, tmp_path: Path) -> None:
    """A small run: every way has a rate, ours its processor time; topics and indices are gone afterwards."""
    settings = tmp_path / "perflog.toml"
    settings.write_text(f'[kafka]\nbootstrap = "{stack.kafka}"\n[elasticsearch]\nurl = "{stack.elasticsearch}"\n')

    done = process("--config", str(settings), "bench", "index", "--lines", "3000", "--repeat", "1", "--json")
    variants = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert len(variants) == 4
    assert all(variant["lines_per_s"] > 0 for variant in variants.values())
    assert variants["perflog run, one worker"]["cpu_us_per_line"] > 0
    with Elasticsearch(stack.elasticsearch) as client:
        assert not client.indices.get(index="perf-*-bench*,bench-*").body
    with open_topics(load_settings(settings).kafka) as cluster:
        assert not cluster.describe(["perf.bench.lines.v1", "perf.bench.deadletter.v1"])


@pytest.mark.stack
def test_a_deriving_worker_is_measured_beside_all_that_it_sent(stack: Running, tmp_path: Path) -> None:
    """A small run: stages of runs whose lines arrive together are written hardly more than once; nothing is left."""
    settings = tmp_path / "perflog.toml"
    settings.write_text(f'[kafka]\nbootstrap = "{stack.kafka}"\n[elasticsearch]\nurl = "{stack.elasticsearch}"\n')
    arguments = ("bench", "index", "--derive", "on", "--lines", "3000", "--repeat", "1", "--json")

    done = process("--config", str(settings), *arguments)
    orders = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert len(orders) == 2
    for order in orders.values():
        assert order["lines"] == 3_000
        assert order["items"] > 6_000
        assert 0 < order["of_the_limit"] < 2
        assert order["written_times"]["runstate"] >= 1
    assert 1 <= orders["a run's lines together"]["written_times"]["stages"] <= 1.3
    with Elasticsearch(stack.elasticsearch) as client:
        assert not client.indices.get(index="perf-*-bench*").body


def measure_replays(stack: Running, folder: Path, lines: int) -> dict[str, dict[str, float]]:
    """What `perflog bench replay` measures."""
    settings = folder / "perflog.toml"
    settings.write_text(f'[kafka]\nbootstrap = "{stack.kafka}"\n[elasticsearch]\nurl = "{stack.elasticsearch}"\n')
    done = process("--config", str(settings), "bench", "replay", "--lines", str(lines), "--json")
    assert done.returncode == 0, done.stderr
    with Elasticsearch(stack.elasticsearch) as client:
        assert not client.indices.get(index="perf-*-bench*,bench-*").body
    rates: dict[str, dict[str, float]] = json.loads(done.stdout)
    return rates


@pytest.mark.stack
def test_replays_are_measured_beside_the_first_reading(stack: Running, tmp_path: Path) -> None:
    """A small run: every line is read again, twice; nothing is left."""
    rates = measure_replays(stack, tmp_path, 1000)

    assert [rate["lines"] for rate in rates.values()] == [1000, 1000, 1000]
    assert all(rate["lines_per_s"] > 0 for rate in rates.values())


@pytest.mark.system
@pytest.mark.stack
@pytest.mark.timeout(7200)
def test_a_million_marks_are_replayed_at_half_the_rate(stack: Running, tmp_path: Path) -> None:
    """Replays of the same revision and of a raised one, against the reading of the same lines in the same run."""
    rates = measure_replays(stack, tmp_path, 1_000_000)

    assert rates["replayed, same revision"]["of_the_first"] >= 0.5
    assert rates["replayed, raised revision"]["of_the_first"] >= 0.5
