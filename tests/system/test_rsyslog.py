"""deploy/forwarders/rsyslog.conf in the real rsyslog, into a real topic. Only with --system, which needs rsyslog."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.waiting import eventually
from tests.support.world import ROOT, World
from tests.system.test_missing_bytes import gaps, swept

pytestmark = [pytest.mark.system, pytest.mark.stack, pytest.mark.timeout(300)]
ODD = ROOT / "tests" / "data" / "rsyslog" / "tomography.log"
MOST_BYTES = 128 * 1024


@pytest.fixture
def rsyslogd() -> str:
    """The program; missing, it fails: `--system` needs it."""
    executable = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    assert executable, "rsyslog is missing: apt-get install rsyslog rsyslog-kafka"
    return executable


@contextmanager
def forwarding(rsyslogd: str, world: World, files: str) -> Iterator[None]:
    """That configuration, with this world's broker, topic, files and a folder for its state."""
    text = (ROOT / "deploy" / "forwarders" / "rsyslog.conf").read_text()
    changed = {
        "127.0.0.1:9092": world.stack.kafka,
        "perf.als.lines.v1": world.topic,
        "/data/logs/als/*.log": files,
        'global(maxMessageSize="128k")': f'global(maxMessageSize="128k" workDirectory="{world.folder}")',
    }
    for shown, here in changed.items():
        assert text.count(shown) == 1
        text = text.replace(shown, here)
    configuration = world.folder / "rsyslog.conf"
    configuration.write_text(text)
    with (world.folder / "rsyslog.out").open("wb") as out:
        command = [rsyslogd, "-n", "-f", str(configuration), "-i", str(world.folder / "rsyslog.pid")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield
        assert process.poll() is None, (world.folder / "rsyslog.out").read_text()
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_lines_that_the_real_rsyslog_sends_are_the_facts_that_they_are_bare(
    rsyslogd: str, world: World, sample_lines: list[bytes]
) -> None:
    """All lines arrive with the bytes of the file; the rest of a line that rsyslog cuts is a gap."""
    odd = [line for line in ODD.read_bytes().split(b"\n") if line]
    cut = b"x" * (MOST_BYTES + 70_000)
    lines = [*sample_lines, *odd]
    expected = world.expected(
        lines[::-1]
    )  # of lines that are one fact, since blanks are no part of it, the first stays
    path = world.written("run.log", [*lines, cut, *sample_lines[:1]])
    intake = replace(world.settings.intake("lines"), wrapper="rsyslog", max_age_days=100_000)
    world.__dict__["settings"] = replace(world.settings, intakes={"lines": intake})
    world.set_up()

    with forwarding(rsyslogd, world, f"{path.parent}/*.log"):
        eventually(lambda: sum(world.ends().values()) == len(lines) + 2)
    report = world.drain()
    swept(world)

    assert "wrapper" not in report.counts["lines"].reasons
    assert world.facts() == expected
    assert len({partition for partition, end in world.ends().items() if end}) == 1, "a file stays in one partition"
    begins = len(b"\n".join(lines)) + 1
    (gap,) = gaps(world)
    assert begins + MOST_BYTES <= gap["first_byte"] <= begins + MOST_BYTES + 1
    assert gap["end_byte"] == begins + len(cut) + 1
    assert {body["log"]["file"]["path"] for body in world.documents().values()} == {str(Path(path))}
