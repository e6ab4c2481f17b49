"""What lines cost in information: counted place by place, by rules that are data, each with a fix that mends."""

import shutil
import subprocess
from pathlib import Path

import pytest

from ingest.core.authoring.lint import Finding, Linter
from ingest.core.authoring.lint_rules import load_rules
from ingest.core.decode.decoder import Decoder
from ingest.core.fields import load_schema
from ingest.core.model import Intake, Message, Problem
from ingest.core.sources.loader import load_source, load_sources
from ingest.core.timestamps import iso_ms
from tests.core.conftest import GRAMMARS

NOW_MS = iso_ms("2026-12-01T00:00:00Z")
SCHEMA = load_schema(GRAMMARS / "fields.toml")
SOURCES = load_sources(GRAMMARS, SCHEMA)
SAMPLE = (GRAMMARS / "als_perf" / "samples.log").read_text().splitlines()
GOOD = "2016-02-05T21:39:37.250-08:00: s.sh:{}:1-2:PERF:SUBMIT_NORM:{}_DATE=1454737177250:HOST=node1"


def findings(
    *lines: str | bytes, source: str = "als_perf", zone: int | None = None, prefix: str = "none"
) -> list[Finding]:
    """Lint lines as one file, of an intake that may declare a zone (seconds east) and a prefix."""
    linter = Linter(SOURCES, {source: load_rules(GRAMMARS, SOURCES[source], SCHEMA)})
    decoder = Decoder(Intake("lint", "lint", "als", (source,), zone=zone, prefix=prefix), SOURCES, SCHEMA)
    for number, line in enumerate(lines, 1):
        data = line.encode() if isinstance(line, str) else line
        linter.add("my.log", number, Message(data, NOW_MS, backfill=True), decoder)
    return list(linter.findings())


def by_rule(all_findings: list[Finding]) -> dict[str, list[Finding]]:
    """Findings by the name of their rule."""
    return {
        name: [finding for finding in all_findings if finding.rule.name == name]
        for name in {finding.rule.name for finding in all_findings}
    }


def test_the_sample_has_ten_places_two_with_a_stray_blank_and_no_end_at_all() -> None:
    """35 lines from 10 script:line places; two of them print a blank ahead of the tag; not one line names an end."""
    findings_by_rule = by_rule(findings(*SAMPLE))
    lines_of_script = {finding.site.name: finding.of for finding in findings_by_rule["no_end"]}

    assert len(lines_of_script) == 10
    assert sum(lines_of_script.values()) == sum(finding.lines for finding in findings_by_rule["no_end"]) == 35
    assert {finding.site.name for finding in findings_by_rule["blank_before_tag"]} == {
        "submitFastTomoPyJob.sh:65",
        "submitNormJobs.sh:32",
    }
    assert {
        name: sum(finding.lines for finding in findings_of_rule) for name, findings_of_rule in findings_by_rule.items()
    } == {
        "no_end": 35,
        "blank_before_tag": 2,
        "zone_abbreviation": 35,
        "no_host": 35,
        "whole_seconds": 35,
    }


def test_a_line_that_lacks_nothing_is_clean() -> None:
    """Offset, host, milliseconds, and both ends: nothing to mend."""
    assert findings(GOOD.format(1, "START"), GOOD.format(2, "END")) == []


def test_an_end_counts_wherever_it_is_printed() -> None:
    """By another line of the script, in any order; an end of another run or stage does not."""
    start, end = GOOD.format(1, "START"), GOOD.format(2, "END")

    assert findings(end, start) == []
    assert by_rule(findings(start, end.replace("1-2", "1-3")))["no_end"][0].site.name == "s.sh:1"
    assert "no_end" in by_rule(findings(start, end.replace("SUBMIT_NORM", "SUBMIT_ROT")))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (("-08:00", " -8"), "refused"),
        (("-08:00", " PST"), "zone_abbreviation"),
        (("1-2", ""), "no_run"),
        (("=1454737177250", "="), "value_missing"),
        (("1454737177250", "1454737177"), "whole_seconds"),
        ((":HOST=node1", ""), "no_host"),
        (("SUBMIT_NORM", "ALIGN-x"), "family_guessed"),
        (("-08:00", "-06:00"), "zone_suspect"),
        (("T21:39:37", "T22:02:37"), "printed_late"),
        ((":PERF", ": PERF"), "blank_before_tag"),
        (("37.250-08:00", "27.250-08:00"), "clock_skew"),
        (("-08:00", ""), "zone_missing"),
    ],
)
def test_each_loss_is_found_and_no_other(change: tuple[str, str], rule: str) -> None:
    """One thing is spoilt in a clean line: one finding, of that rule, at that place."""
    lint_findings = findings(GOOD.format(7, "START").replace(*change), GOOD.format(8, "END").replace("1-2", "1-2"))
    here = [finding for finding in lint_findings if finding.site.line == 7 or finding.rule.name == "refused"]

    assert [finding.rule.name for finding in here if finding.rule.name != "no_end"] == [rule]
    assert here[0].first == "my.log:1"


def test_lines_behind_a_syslog_prefix_lose_what_they_lose_without_it() -> None:
    """The rules look at the line; one without the declared prefix is a finding of its own."""
    prefixed = [f"Feb  5 21:39:38 node perf: {line}" for line in SAMPLE]
    plain, behind_prefix = by_rule(findings(*SAMPLE)), by_rule(findings(*prefixed, prefix="syslog"))

    assert behind_prefix == plain
    assert [one.rule.name for one in findings(SAMPLE[0], prefix="syslog")] == ["refused"]


def test_a_line_of_utf16_is_a_finding_unless_its_mark_says_so() -> None:
    """What is read by its byte order mark loses what it loses in UTF-8."""
    marked, unmarked = SAMPLE[0].encode("utf-16"), SAMPLE[0].encode("utf-16-le")

    assert by_rule(findings(marked)) == by_rule(findings(SAMPLE[0]))
    assert [one.rule.name for one in findings(unmarked)] == ["refused"]


def test_the_fix_of_the_missing_end_prints_an_accepted_line(tmp_path: Path) -> None:
    """The one line of shell is run as it stands; what it prints closes the stage and lacks a host only."""
    fix = by_rule(findings(*SAMPLE))["no_end"][0].fix
    script = tmp_path / "submit.sh"
    script.write_text(f"RUN=1-2 STAGE=SUBMIT_NORM\n{fix}\n")
    line = subprocess.run(["bash", script], capture_output=True, text=True, check=True, cwd=tmp_path).stdout.strip()

    assert set(by_rule(findings(line))) == {"no_host"}
    assert findings(line)[0].site.name == "submit.sh:2"


def test_the_fix_of_the_stray_blank_mends_the_script(tmp_path: Path) -> None:
    """`sed` on the very line of the very script."""
    script = tmp_path / "submitNormJobs.sh"
    script.write_text("\n" * 31 + 'echo "$(date): $0:$LINENO:$RUN: PERF:SUBMIT_NORM:START_DATE=$(date +%s)"\n')
    fix = next(finding.fix for finding in by_rule(findings(*SAMPLE))["blank_before_tag"] if finding.site.line == 32)
    subprocess.run(["bash", "-c", fix], check=True, cwd=tmp_path)

    assert "$RUN:PERF:" in script.read_text()


def test_what_a_line_holds_is_quoted_in_the_shell() -> None:
    """A log may hold anything; pasted into a shell it must stay a name."""
    line = SAMPLE[27].replace("submitNormJobs.sh", "a.sh; touch owned")
    fix = by_rule(findings(line))["blank_before_tag"][0].fix

    assert fix.endswith(" 'a.sh; touch owned'")


def test_a_refused_line_is_told_at_the_place_that_printed_it() -> None:
    """Script and number were read before reading stopped; the fix names the line of the file."""
    lint_findings = findings(SAMPLE[0], SAMPLE[0].replace("1454737177", "NaN"))
    refused = by_rule(lint_findings)["refused"][0]

    assert (refused.site.name, refused.lines, refused.of) == ("submitPostGalJob.sh:69", 1, 2)
    assert refused.fix == "sed -n 2p my.log | perflog explain"


def test_three_lines_of_one_host_off_by_the_same_are_a_zone_fault() -> None:
    """Told once for the host, with the lags as they are without it; two of one host are not, nor three of three."""
    late = [GOOD.format(n, "START").replace("T21:39:37.250-08", f"T21:39:{36 + n}.250-06") for n in range(1, 4)]
    apart = [line.replace("node1", f"node{n}") for n, line in enumerate(late)]
    (finding,) = by_rule(findings(GOOD.format(9, "END"), *late))["zone_fault"]

    assert (finding.site.name, finding.lines, finding.of, finding.first) == (
        "node1",
        3,
        3,
        "my.log:2",
    )
    assert finding.zone_fault is not None
    assert (finding.zone_fault.shift_s, finding.zone_fault.zone) == (-7200, "-06:00")
    assert (finding.zone_fault.least_lag_s, finding.zone_fault.most_lag_s) == (0, 2)
    assert "zone_fault" not in by_rule(findings(*late[:2]))
    assert "zone_fault" not in by_rule(findings(*apart))


def test_blocks_are_linted_by_their_ends() -> None:
    """A block names no script: the place is the pair of hosts; its own words replace the common rule's."""
    text = (GRAMMARS / "owping" / "samples.both.txt").read_text()
    lint_findings = findings(text, source="owping")

    assert [(finding.site.name, finding.rule.name) for finding in lint_findings] == [
        ("ps-als.example → 2001:db8:20::5", "zone_missing")
    ]
    assert lint_findings[0].fix.startswith("TZ=UTC0")


def test_a_block_whose_session_id_tells_another_zone_is_told() -> None:
    """The zone that the intake declares is the wrong one; so far off is a fault that one block shows."""
    text = (GRAMMARS / "owping" / "samples.both.txt").read_text()
    (fault,) = by_rule(findings(text, source="owping", zone=12 * 3600))["zone_fault"]

    assert (fault.lines, fault.zone_fault) == (1, None)
    assert "session id" in fault.rule.costs


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('ZONE = "', 'ZONES = "', "ZONES"),
        ("(?!UTC|GMT)[A-Z]+", "(?!UTC", "lint.toml"),
        ("unended = true", "unending = true", "lint.toml"),
    ],
)
def test_a_wrong_rule_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    """With the name of what is wrong, and the exit code of bad configuration."""
    folder = Path(shutil.copytree(GRAMMARS / "als_perf", tmp_path / "als_perf"))
    path = folder / "lint.toml"
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(Problem, match=says) as caught:
        load_rules(tmp_path, load_source(folder, SCHEMA), SCHEMA)

    assert caught.value.exit_code == 78


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_source_has_rules_that_load(name: str) -> None:
    """Those of its kind: what a rule names exists there."""
    assert all(
        SOURCES[name].kind in rule.kinds or rule.kinds == ("*",) for rule in load_rules(GRAMMARS, SOURCES[name], SCHEMA)
    )
