"""`perflog explain`, `lint` and `sources`, as a user calls them: for people, for a pipe, for machines."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingest.cli.console import crop
from ingest.cli.sources import explain, lint, sources
from ingest.telemetry import make_visible
from tests.support.cli import SHIFTED, SHIFTED_FAULT, SHIFTED_WORDS

GRAMMARS = Path(__file__).parents[3] / "grammars"
SAMPLE = str(GRAMMARS / "als_perf" / "samples.log")
LINE = "Fri Feb 5 21:39:39 PST 2016: submitNormJobs.sh:32:1086857-64636: PERF:SUBMIT_NORM:START_DATE=1454737177"
TORN = LINE[: LINE.index("PERF") + 2]
OTHER = "Fri Feb 5 21:39:37 PST 2016: submitPostGalJob.sh:69:1084664-62990:INFO: all is well"


def run(module: str, *words: str, stdin: bytes = b"", colour: bool = False) -> Result:
    """Call a command in this process; whatever it raises fails the test."""
    command = {"explain": explain.command, "lint": lint.command, "sources": sources.command}[module]
    environment = {"FORCE_COLOR": "1"} if colour else {"FORCE_COLOR": None}
    done = CliRunner().invoke(command, words, input=stdin, env=environment, obj=None)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_line_is_explained_to_people() -> None:
    """Which source, each token with its field and value, the derived fields with their rule, the flag's meaning."""
    done = run("explain", LINE, "--facility", "als")

    assert done.exit_code == 0
    assert "read by als_perf: 1 document" in done.stdout
    assert LINE in done.stdout
    for words in ("perf.run.id", "1086857-64636", "perf.mark.emit_lag_s", "2 s", "a key that ends in START_DATE",
                  "blank_before_tag", "A stray blank", "perf.facility als"):  # fmt: skip
        assert words in done.stdout


def test_a_pipe_gets_no_colours_and_a_terminal_does() -> None:
    """Plain text where it is read by programs; with colours the text is the same."""
    assert "\x1b[" not in run("explain", LINE).stdout
    assert "\x1b[" in run("explain", LINE, colour=True).stdout


def test_a_refused_line_bears_a_caret_under_the_column() -> None:
    """The caret stands where reading stopped, whatever was read before."""
    done = run("explain", TORN)
    lines = done.stdout.splitlines()
    caret = next(number for number, line in enumerate(lines) if line.strip() == "^")

    assert done.exit_code == 1
    assert lines[caret - 1][lines[caret].index("^") :] == "PE"
    assert "expected the word PERF" in done.stdout
    assert "nearest" in done.stdout


def test_an_ignored_line_is_no_failure() -> None:
    """Somebody else's line: why, and exit code 0."""
    done = run("explain", OTHER)

    assert done.exit_code == 0
    assert "ignored" in done.stdout
    assert "`INFO`" in done.stdout


def test_an_ignored_line_names_the_words_that_it_lacks() -> None:
    """A line lacks the only word of one source, and both words of the other."""
    assert "and contains no `event=` (" in run("explain", "--source", "netlogger", "+ qsub").stdout
    assert (
        "and contains neither the word `PERF` nor `_DATE=` (" in run("explain", "--source", "als_perf", "+ qsub").stdout
    )


def test_an_explanation_can_be_json() -> None:
    """One JSON object a message, with positions, fields, rules and the nearest form; from standard input."""
    done = run("explain", "--json", "-", stdin=f"{LINE}\n{TORN}\n{OTHER}\n".encode())
    document, reject, ignored = (json.loads(line) for line in done.stdout.splitlines())
    token = next(token for token in document["tokens"] if token["name"] == "RUN")

    assert done.exit_code == 1
    assert LINE[token["start"] : token["end"]] == token["text"] == "1086857-64636"
    assert token["fields"] == [{"document": 0, "field": "perf.run.id"}]
    assert reject["rejects"][0]["expected"] == [{"name": "TAG", "words": "the word PERF"}]
    assert reject["rejects"][0]["column"] == TORN.index("PE") + 1
    assert reject["rejects"][0]["nearest"]["how"] == "repaired"
    assert (ignored["outcome"], ignored["ignored"][0]["shape"]) == ("ignored", "tag:INFO")


def test_a_damaged_block_is_explained_as_one_message() -> None:
    """Several lines of owping are one message though one of them is wrong; the line of the fault is named."""
    done = run("explain", stdin=(GRAMMARS / "owping" / "rejects.zone.txt").read_bytes())

    assert done.exit_code == 1
    assert "line 3, column 8: zone_unknown, says owping" in done.stdout
    assert "line 4" not in done.stdout


def test_control_characters_of_a_log_do_not_reach_the_terminal() -> None:
    """Escape sequences, bells and direction marks become symbols; rich does not interpret its own markup."""
    done = run("explain", f"{LINE}\x1b]0;owned\x07\u202e[bold red]x[/]")

    assert not set("\x1b\x07\u202e") & set(done.stdout)
    assert "[bold red]" in done.stdout
    assert make_visible("\x1b\x07\t\x7f\x9b") == "␛␇→␡\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("at", [0, 5, 200, 399])
def test_a_long_line_is_shown_around_the_place(at: int) -> None:
    """The window fits, and its marked column holds the chosen character."""
    line = "".join(chr(0x4E00 + n) for n in range(400))
    part, column = crop(line, at, 80)

    assert len(part) <= 80
    assert part[column] == line[at]


def test_lint_lists_script_lines_losses_and_fixes() -> None:
    """The sample: ten places, the fix for each of the two stray blanks, exit code 1."""
    done = run("lint", SAMPLE)

    assert done.exit_code == 1
    assert "35 lines, printed at 10 places" in done.stdout
    assert "sed -i '32s/: PERF/:PERF/' submitNormJobs.sh" in done.stdout
    assert "sed -i '65s/: PERF/:PERF/' submitFastTomoPyJob.sh" in done.stdout


def test_lint_can_print_json() -> None:
    """One JSON object a finding; script and line apart, counts, first place, cost and fix."""
    findings = [json.loads(finding) for finding in run("lint", "--json", SAMPLE).stdout.splitlines()]
    ends = [finding for finding in findings if finding["rule"] == "no_end"]

    assert len({(finding["script"], finding["line"]) for finding in findings}) == 10
    assert sum(finding["lines"] for finding in ends) == sum(finding["of"] for finding in ends) == 35
    assert set(findings[0]) == {"site", "script", "line", "rule", "lines", "of", "first", "costs", "fix"}


def test_lint_names_a_host_whose_zone_is_wrong() -> None:
    """Once for the host, by how much, and the lags without it; for machines as a finding with these numbers."""
    done = run("lint", "-", stdin=SHIFTED)
    findings = [json.loads(finding) for finding in run("lint", "--json", "-", stdin=SHIFTED).stdout.splitlines()]
    (finding,) = [finding for finding in findings if finding["rule"] == "zone_fault"]

    assert done.exit_code == 1
    assert f"  node7: {SHIFTED_WORDS}; first -:1" in done.stdout.splitlines()
    assert "zone_suspect  3 lines at 3 places." in done.stdout
    assert (finding["site"], finding["lines"], finding["of"], finding["first"]) == ("node7", 3, 3, "-:1")
    assert finding["zone_fault"] == SHIFTED_FAULT
    assert "zone_fault" not in run("lint", "-", stdin=b"".join(SHIFTED.splitlines(True)[:2])).stdout


def test_lint_leaves_somebody_elses_lines_out() -> None:
    """Exit code 0: nothing to mend, and it says how much it left out."""
    done = run("lint", "-", stdin=b"+ qsub a.sh\ntotal 12\n\n")

    assert done.exit_code == 0
    assert "2 of somebody else left out" in done.stdout


def test_many_losses_still_fit() -> None:
    """Rules that do not fit into the columns get letters, which a legend explains."""
    done = run("lint", str(GRAMMARS / "als_perf" / "samples.variants.log"))

    assert all(len(line) <= 200 for line in done.stdout.splitlines() if line.startswith(("place", "submit")))
    assert "a  zone_abbreviation" in done.stdout


def test_sources_are_listed_and_described() -> None:
    """Summary, identity, samples; of one its fields with unit, origin and meaning."""
    listed, detail = run("sources").stdout, run("sources", "als_perf").stdout
    sources_by_name = {
        json.loads(entry)["source"]: json.loads(entry) for entry in run("sources", "--json").stdout.splitlines()
    }

    assert set(sources_by_name) == {path.parent.name for path in GRAMMARS.glob("*/source.toml")}
    assert all(name in listed for name in sources_by_name)
    assert sources_by_name["als_perf"]["samples"]["document"] > 35
    assert sources_by_name["als_perf"]["identity"] == "facility + its bytes + which pair of it"
    assert "perf.mark.emit_lag_s" in detail
    assert "Stamp minus value" in detail
    assert {"field": "perf.run.id", "type": "keyword", "unit": None, "from": ["RUN"]}.items() <= next(
        entry for entry in sources_by_name["als_perf"]["fields"] if entry["field"] == "perf.run.id"
    ).items()


def test_a_derived_field_is_traced_to_its_inputs() -> None:
    """`sources NAME` shows that the lag comes from the stamp and the value."""
    [entry] = [json.loads(entry) for entry in run("sources", "als_perf", "--json").stdout.splitlines()]
    lag = next(field for field in entry["fields"] if field["field"] == "perf.mark.emit_lag_s")

    assert {"CLOCK", "VALUE"} <= set(lag["from"])
