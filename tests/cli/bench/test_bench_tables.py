"""Tables of benchmarks, of `run` and of `setup` on a terminal of 80 columns: no word and no figure is cut."""

import io
import re
from collections import Counter

import pytest

from ingest.cli.bench import derive, index, replay
from ingest.cli.bench.harness import Measurement
from ingest.cli.console import OutputConsole, figures_table, plain_table
from ingest.cli.pipeline import run, setup
from ingest.config.load import load_settings
from ingest.core.records.outcomes import OutcomeCounts
from ingest.pipeline.admin.setup import SetupReport, Step
from ingest.pipeline.worker.report import RunReport

WORDS = {"interleaved", "together", "promises", "pipeline", "helpers.bulk", "revision", "what", "lines/s", "limit"}


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> OutputConsole:
    """A terminal of 80 columns that all the modules print to."""
    opened = OutputConsole(
        highlight=False, markup=False, width=80, force_terminal=True, color_system=None, file=io.StringIO()
    )
    for module in (derive, index, replay, setup):
        monkeypatch.setattr(module, "open_console", lambda: opened)
    return opened


def printed(console: OutputConsole) -> str:
    """What the terminal shows; no line is wider than it, and none is cut."""
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    return text


def test_tables_of_benchmarks_fit(console: OutputConsole, capsys: pytest.CaptureFixture[str]) -> None:
    """Each word of a name and each figure of millions of lines stands there whole."""
    settings = load_settings(None)
    names = ("the limit: the same bytes, no pipeline", "perflog run, one worker", "a bare loop, no promises",
             "plain Lark and helpers.bulk")  # fmt: skip
    index._show({name: [Measurement(9_000_000, 3.0, 2.0, 12_345)] for name in names}, 9_000_000, 3, settings)
    figures = {"lines_per_s": 123_456, "items": 12_345_678, "of_the_limit": 0.5, "cpu_us_per_line": 171.2,
               "peak_mib": 12_345, "written_times": {"stages": 11.25, "runs": 13.5, "runstate": 12.25}}  # fmt: skip
    derive._show({"1,000 runs interleaved": figures, "a run's lines together": figures}, 9_000_000, 3, settings)
    rates = {"lines_per_s": 1_234_567, "of_the_first": 0.9, "sent_per_s": 1_234_567}
    replay._show({"read first": {"lines_per_s": 1_234_567}, "replayed, raised revision": rates}, 1000)
    words = Counter(re.split(r"\s+", printed(console)))

    assert words.keys() >= WORDS
    assert words["12,345,678"] == 2
    assert words["1,234,567"] == 3
    assert "how often a stage, a run and its state were written" in capsys.readouterr().out


def test_tables_of_run_and_setup_fit(console: OutputConsole) -> None:
    """Outcomes of millions of records; names of any length are broken, not cut."""
    count = OutcomeCounts()
    count.records = count.documents = 1_234_567
    run.show(RunReport(counts={"als-results": count}), console)
    setup._show(SetupReport([Step("index template", "perf-network-synthetic-a-long-facility", "created", "3 shards")]))
    text = printed(console)

    assert "als-results" in text
    assert "index template  perf-network-synthetic-a-long-facility" in text
    assert text.count("1,234,567") == 2


def test_a_long_word_is_broken_not_cut(console: OutputConsole) -> None:
    """Nothing of a cell is lost in any table."""
    table = plain_table()
    for head in ("one", "two"):
        table.add_column(head)
    table.add_row("z" * 100, "y" * 100)
    console.print(table)
    console.print(figures_table("name", ["of the bare expression"]))
    text = printed(console)

    assert (text.count("z"), text.count("y")) == (100, 100)
    assert "expression" in text
