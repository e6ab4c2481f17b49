"""`perflog bench parse`: figures beside their yardsticks, and lines that are really all different."""

import json

from ingest.cli.bench import moved
from tests.cli.test_try import GRAMMARS, perflog


def test_rates_are_told_beside_their_yardsticks() -> None:
    """A small run, for machines: every rate is there and above nothing."""
    done = perflog("bench", "parse", "--lines", "2000", "--repeat", "1", "--json")
    found = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert len(found["rates"]) == 5
    assert all(rate > 0 for rate in found["rates"].values())


def test_the_lines_of_the_bench_differ_and_are_accepted() -> None:
    """They keep the distance of stamp and value; none repeats; the first round is the sample itself."""
    sample = (GRAMMARS / "als_perf" / "samples.log").read_bytes().splitlines()
    lines = list(moved(sample, 500))
    done = perflog("try", "--source", "als_perf", "-", stdin=b"\n".join(lines))
    documents = [json.loads(row)["document"] for row in done.stdout.splitlines()]

    assert lines[:35] == sample
    assert len(set(lines)) == 500
    assert done.returncode == 0
    assert {body["perf"]["mark"]["emit_lag_s"] for body in documents} <= {0, 1, 2, 3, 7, 12, 13, 14, 26}
