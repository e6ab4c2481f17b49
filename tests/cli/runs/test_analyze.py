"""`perflog analyze`, as a user calls it: for people, in a pipe, for machines; slips have codes."""

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from ingest.cli.runs import analyze
from ingest.core.model import Problem
from ingest.synthetic.workload.generator import messages
from ingest.synthetic.workload.truth import START_MS, Slowed, Workload
from tests.cli.sources.test_try import LINE
from tests.core.analysis.test_offline import RUNS_CSV
from tests.support.cli import SHIFTED, SHIFTED_FAULT, SHIFTED_WORDS, process
from tests.support.derived import SAMPLE

FIRST, SECOND = "1084664-62990", "1086857-64636"


def run_analyze(*words: str, stdin: bytes = b"") -> Result:
    """Call it in this process; a pipe."""
    done = CliRunner().invoke(analyze.command, words, input=stdin, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done


def draw_on_terminal(monkeypatch: pytest.MonkeyPatch, columns: int, *words: str) -> list[str]:
    """The lines on a terminal that is so wide, without their colours."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = Console(highlight=False, width=columns, force_terminal=True, color_system=None, file=StringIO())
    monkeypatch.setattr("ingest.cli.runs.analyze.open_console", lambda: console)
    run_analyze(*words)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def make_run(**seconds: int) -> bytes:
    """Lines of a run that waits in a queue: what it took to be queued, and one stage."""
    begin, queue = 1_454_783_748, seconds.get("queue", 25)
    lines = [
        (1143, "SUBMIT", "QSTART_DATE", begin), (1144, "SUBMIT", "WSTART_DATE", begin + queue),
        (65, "SUBMIT_ROT", "START_DATE", begin + queue + 10), (32, "SUBMIT_NORM", "START_DATE", begin + queue + 60),
    ]  # fmt: skip
    stamp = "2016-02-06T10:36:14-08:00"
    return "".join(f"{stamp}: s.sh:{n}:9-9:PERF:{stage}:{key}={at}\n" for n, stage, key, at in lines).encode()


def test_the_table_of_the_sample_is_reproduced_as_text() -> None:
    """--csv: column by column, to the last character, what was computed by hand."""
    with RUNS_CSV.open(newline="") as file:
        expected = list(csv.reader(file))

    rows = list(csv.reader(StringIO(run_analyze(str(SAMPLE), "--csv").stdout)))
    assert [row[: len(expected[0])] for row in rows] == expected
    assert [row[len(expected[0]) :] for row in rows] == [["instance"], ["1"], ["1"]]


def test_two_uses_of_a_run_id_are_told_apart_in_csv() -> None:
    """By the last column, since the columns before it keep their names and places."""
    later = make_run().replace(b"145478", b"145678")
    rows = list(csv.DictReader(StringIO(run_analyze("-", "--csv", stdin=make_run() + later).stdout)))

    assert [(row["run_id"], row["instance"]) for row in rows] == [("9-9", "1"), ("9-9", "2")]


def test_the_text_has_runs_outliers_stages_and_a_waterfall() -> None:
    """It shows both runs of the sample in full, and says that the stages are too few for outliers."""
    out = run_analyze(str(SAMPLE)).stdout
    lines = out.splitlines()

    assert lines[0] == "35 lines: 35 of runs, 0 refused, 0 ignored"
    assert "2 runs." in lines
    assert "  33 insufficient: fewer than 8 like it before, within 28 days" in lines
    assert f"Run {SECOND} of unknown / als_perf" in lines
    assert "queue 25 s, dispatch 14 s, first to last start 775 s" in lines
    assert sum("SUBMIT_GAL-render-gridrec" in line for line in lines) == 3  # longest of its run, stage, bar


def test_in_a_pipe_the_waterfall_has_the_signs_of_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without colours, each kind with a glyph of its own, which the legend explains; so it is with NO_COLOR."""
    out = run_analyze(str(SAMPLE), "--run", SECOND).stdout
    drawn = out[out.index("2016-02-06 UTC") :]

    assert "\x1b" not in out
    assert "<=" not in out
    assert "▒▒   upper bound: to what the run did next" in drawn
    assert next(line for line in drawn.splitlines() if "SUBMIT_SINO" in line).endswith("▓▶")
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(highlight=False, width=80, force_terminal=True, file=StringIO())
    monkeypatch.setattr("ingest.cli.runs.analyze.open_console", lambda: console)
    run_analyze(str(SAMPLE), "--run", SECOND)
    assert isinstance(console.file, StringIO)
    assert "▒▒   upper bound" in console.file.getvalue()


def test_a_host_whose_zone_is_wrong_stands_before_its_runs() -> None:
    """By how much, with the lags without it; its stages have none. For machines among the numbers of the files."""
    lines = run_analyze("-", stdin=SHIFTED).stdout.splitlines()
    analysis = json.loads(run_analyze("-", "--json", stdin=SHIFTED).stdout)

    assert lines[1] == f"zone fault  node7: {SHIFTED_WORDS}; first -:1"
    assert analysis["zone_faults"] == [SHIFTED_FAULT]
    assert [stage["emit_lag_s"] for run in analysis["runs"] for stage in run["stages_in_order"]] == [None] * 3
    assert json.loads(run_analyze(str(SAMPLE), "--json").stdout)["zone_faults"] == []


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_nothing_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Bars use the width that there is, and no line is broken."""
    lines = draw_on_terminal(monkeypatch, columns, str(SAMPLE))

    assert max(map(len, lines)) <= columns
    assert max(len(line) for line in lines if "▒" in line) > columns * 3 // 4


def test_a_queue_that_dwarfs_the_run_is_drawn_short_with_a_remark(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A thousand times its longest stage: the bar and the axis are broken, the legend tells how much is left out."""
    path = tmp_path / "queue.log"
    path.write_bytes(make_run(queue=50_000))
    lines = draw_on_terminal(monkeypatch, 80, str(path))
    (queue,) = [line for line in lines if line.startswith("queue  ")]
    (stage,) = [line for line in lines if line.startswith("SUBMIT_ROT") and "▒" in line]

    assert queue.split() == ["queue", "=", "50,000", "░░░╱╱░░░"]
    assert stage.count("▒") > 20
    assert any("axis broken: 50,000 s without a stage drawn short" in line for line in lines)
    path.write_bytes(make_run())
    assert not any("╱" in line for line in draw_on_terminal(monkeypatch, 80, str(path)))


def test_three_hundred_stages_are_folded_unless_all_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The longest stages are drawn, those between them are counted; --unfold draws each."""
    path, at, lines = tmp_path / "many.log", 1_454_783_748, []
    for n in range(300):
        lines.append(f"2016-02-06T10:36:14-08:00: s.sh:1:9-9:PERF:SUBMIT_GAL-gal-part{n}:START_DATE={at}\n")
        at += 500 if n == 150 else 1
    path.write_text("".join(lines))

    folded = [line for line in draw_on_terminal(monkeypatch, 80, str(path)) if "▒" in line or "┄" in line]
    unfolded = [line for line in draw_on_terminal(monkeypatch, 80, str(path), "--unfold") if "▒" in line]
    assert len(folded) <= 40 + 2
    assert any("part150" in line and line.count("▒") > 20 for line in folded)
    assert len(unfolded) == 299 + 1  # and the legend


def test_rejected_and_ignored_lines_are_counted_by_reason() -> None:
    """Rejects by reason, with the first line of each; foreign lines by shape. Blank lines count as ignored."""
    torn = LINE[: LINE.index(b"PERF") + 2]
    out = run_analyze("-", stdin=b"\n".join([LINE, torn, torn, b"+ qsub", b""])).stdout.splitlines()

    assert out[0] == "4 lines: 1 of runs, 2 refused, 1 ignored"
    assert out[1].startswith("  2 refused (torn), submitNormJobs.sh:32: the line ends too early; first -:2")
    assert any("ignored, since they are none of ours: other 1" in line for line in out)


def test_a_file_without_a_run_has_an_empty_analysis() -> None:
    """The text is a sentence, the JSON an empty list."""
    assert "No run: none of these lines" in run_analyze("-", stdin=b"hello\n").stdout
    assert json.loads(run_analyze("-", "--json", stdin=b"hello\n").stdout)["runs"] == []


def test_several_files_are_one_analysis(tmp_path: Path) -> None:
    """A run whose lines stand in two files is one run."""
    lines = SAMPLE.read_bytes().splitlines(keepends=True)
    for n in (0, 1):
        (tmp_path / f"{n}.log").write_bytes(b"".join(lines[n::2]))
    analysis = json.loads(run_analyze(str(tmp_path / "0.log"), str(tmp_path / "1.log"), "--json").stdout)

    assert analysis["runs"] == json.loads(run_analyze(str(SAMPLE), "--json").stdout)["runs"]
    assert len(analysis["files"]) == 2


def test_of_many_runs_the_one_with_the_slowest_stage_is_shown(tmp_path: Path) -> None:
    """With its slow stage marked; --run shows others, and only them."""
    slowed = Slowed("SUBMIT_NORM", 5, START_MS + 80_000_000)
    path = tmp_path / "many.log"
    workload = Workload(2, 4_000, span_s=100_000, steady=True, slowed=(slowed,))
    path.write_bytes(b"".join(message.data + b"\n" for message in messages(workload)))
    out = run_analyze(str(path)).stdout
    analysis = json.loads(run_analyze(str(path), "--json").stdout)

    assert "the run with the slowest stage; --run shows others." in out
    assert out.count("\nRun ") == 1
    worst = max(analysis["outliers"]["slow"], key=lambda verdict: verdict["duration_s"] - verdict["threshold_s"])
    assert f"\nRun {worst['run']} of" in out
    assert "!≤" in out
    other = next(run["run"] for run in analysis["runs"] if run["run"] != worst["run"])
    assert f"\nRun {other} of" in run_analyze(str(path), "--run", other).stdout


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((str(SAMPLE), "--run", f"{FIRST}0"), 66, f"Did you mean {FIRST}"),
        ((str(SAMPLE), "--run", FIRST, "--instance", "2"), 66, "was used 1 times"),
        (("no-such-file.log",), 66, "cannot be read"),
        ((str(SAMPLE), "--most", "10"), 65, "more than 10 marks"),
        ((str(SAMPLE), "--source", "nobody"), 64, "There is no source"),
        ((str(SAMPLE), "--source", "owping"), 64, "reads no workflow lines"),
        ((str(SAMPLE), "--intake", "nowhere"), 64, "There is no intake"),
        ((str(SAMPLE), "--intake", "als-lines", "--zone", "-08:00"), 64, "--intake and --zone"),
        ((str(SAMPLE), "--facility", "A B"), 64, "is no facility"),
        ((str(SAMPLE), "--wrapper", "paper"), 78, "paper"),
    ],
)
def test_slips_have_words_and_codes(words: tuple[str, ...], code: int, sentence: str) -> None:
    """Sysexits, and what to do."""
    with pytest.raises(Problem, match=sentence) as caught:
        run_analyze(*words)
    assert caught.value.exit_code == code


def test_as_an_intake_reads_it_ids_are_those_that_are_stored() -> None:
    """Facility and workflow are the intake's."""
    (run, *_) = json.loads(run_analyze(str(SAMPLE), "--intake", "als-lines", "--json").stdout)["runs"]

    assert (run["facility"], run["workflow"]) == ("als", "als-tomography")


def test_a_line_that_is_too_long_is_skipped_and_counted(tmp_path: Path) -> None:
    """It is never held in memory as a whole."""
    path = tmp_path / "long.log"
    path.write_bytes(LINE + b"\n" + b"x" * 6_000_000 + b"\n" + LINE.replace(b"9177", b"9178") + b"\n")
    out = run_analyze(str(path)).stdout.splitlines()

    assert out[0] == "3 lines: 2 of runs, 1 refused, 0 ignored"
    assert "refused (too_long)" in out[1]


def test_an_output_that_is_not_utf_8_is_ascii() -> None:
    """As a process: signs are written out, nothing fails."""
    done = process("analyze", str(SAMPLE), PYTHONIOENCODING="ascii")

    assert done.returncode == 0
    assert b"total >= 817 s" in done.stdout
    assert not done.stderr


def test_lines_behind_a_syslog_prefix_and_lines_of_utf16_are_the_same_runs(tmp_path: Path) -> None:
    """Read as the intake would read them; without the option they are refused, not ignored."""
    lines = SAMPLE.read_bytes().splitlines()
    prefixed, utf16 = tmp_path / "syslog.log", tmp_path / "utf16.log"
    prefixed.write_bytes(b"".join(b"Feb  5 21:39:38 node perf: " + line + b"\n" for line in lines))
    utf16.write_bytes(SAMPLE.read_text().encode("utf-16"))
    plain, behind_prefix, of_utf16 = (
        run_analyze(*words, "--csv").stdout
        for words in ((str(SAMPLE),), (str(prefixed), "--prefix", "syslog"), (str(utf16),))
    )

    assert plain == behind_prefix == of_utf16
    assert run_analyze(str(prefixed)).stdout.startswith("35 lines: 0 of runs, 35 refused, 0 ignored")
