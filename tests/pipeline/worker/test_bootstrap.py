"""A worker from its start to its end: it waits for its services, and ends in time when it is asked to."""

import json
import logging
import signal
from pathlib import Path
from threading import Event

import pytest

from ingest.config.load import load_settings
from ingest.config.settings import Settings
from ingest.core.decode.registry import load_registry
from ingest.core.model import ExitCode, Problem
from ingest.pipeline.signals import Stop
from ingest.pipeline.worker import bootstrap
from ingest.pipeline.worker.bootstrap import WorkerRun
from tests.support.front import front
from tests.support.log import Log
from tests.support.waiting import DEADLINE_S
from tests.support.world import World

AWAY = Problem("Kafka at 192.0.2.1:9092 does not answer.", "Is the broker up?", ExitCode.UNAVAILABLE)
SETTINGS = """
[delivery]
retry_first_s = 0.001
retry_most_s = 0.001
[[intake]]
name = "lines"
topic = "perf.als.lines.v1"
facility = "als"
sources = ["als_perf"]
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of one intake, with short waits."""
    path = tmp_path / "perflog.toml"
    path.write_text(SETTINGS)
    return load_settings(path)


class Checks:
    """Stands for the checks before the start: problems in turn."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = list(problems)
        self.count = 0

    def __call__(self, *_: object) -> None:
        """Raise the next one."""
        self.count += 1
        raise self.problems.pop(0)


@pytest.mark.parametrize("code", [ExitCode.CONFIG, ExitCode.NO_PERMISSION])
def test_a_worker_waits_at_its_start_but_not_for_what_waiting_cannot_mend(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: ExitCode
) -> None:
    """The same words as later: what does not answer, when it tries again, that nothing is lost."""
    checks = Checks(AWAY, AWAY, AWAY, Problem("There is no topic.", "Run `perflog setup`.", code))
    monkeypatch.setattr(bootstrap, "check", checks)

    with pytest.raises(Problem, match="no topic") as raised:
        WorkerRun(settings, load_registry(settings.grammars), Stop()).run()

    assert (raised.value.exit_code, checks.count) == (code, 4)
    waits = [record.getMessage() for record in caplog.records if "Trying again" in record.getMessage()]
    assert len(waits) == 3
    assert waits[2].startswith(f"{AWAY} Trying again in 0.0 s (attempt 3); no record is lost.")


def test_with_fail_fast_it_does_not_wait(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 69 after the first check."""
    checks = Checks(AWAY)
    monkeypatch.setattr(bootstrap, "check", checks)

    with pytest.raises(Problem) as raised:
        WorkerRun(settings, load_registry(settings.grammars), Stop(), fail_fast=True).run()

    assert (raised.value.exit_code, checks.count) == (69, 1)


@pytest.mark.parametrize("waits", [False, True], ids=["in a request", "between two attempts"])
def test_a_worker_that_starts_ends_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, waits: bool
) -> None:
    """It has read nothing, so there is nothing to finish; it says what it waited for."""
    caplog.set_level(logging.INFO, "perflog.run")
    stop, answered = Stop(), Event()

    def check(*_: object) -> None:
        stop.request("SIGTERM")
        if waits:
            raise AWAY
        answered.wait(DEADLINE_S)

    monkeypatch.setattr(bootstrap, "check", check)
    report = WorkerRun(settings, load_registry(settings.grammars), stop).run()

    assert (report.stopped, report.unfinished, report.counts) == (True, 0, {})
    assert answered.is_set() is False
    assert "SIGTERM: stopping at its start, while waiting for Kafka and Elasticsearch to list" in caplog.text
    answered.set()


@pytest.mark.stack
@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["alone", "supervised"])
def test_a_worker_starts_once_elasticsearch_answers(
    world: World, sample_lines: list[bytes], options: tuple[str, ...]
) -> None:
    """Started before it: the worker waits and says so, then reads everything; under a supervisor too."""
    world.set_up()
    world.ship(world.written("a.log", sample_lines))
    with front(world.stack.elasticsearch) as before:
        before.away = True
        config = world.folder / "front.toml"
        config.write_text(world.settings_text(before.address))
        with world.perflog_process("run", "--drain", "--json", *options, config_file=config) as process:
            log = Log(process)
            log.until("Trying again")
            before.away = False
            code = process.wait(DEADLINE_S)
            out = process.stdout.read() if process.stdout else ""

    assert code == 0, log.whole()
    assert f"Elasticsearch at {before.address} does not answer" in log.whole()
    assert json.loads(out)["intakes"]["lines"]["stored"] == len(sample_lines)


@pytest.mark.stack
@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["alone", "supervised"])
def test_with_fail_fast_a_missing_elasticsearch_is_exit_code_69(world: World, options: tuple[str, ...]) -> None:
    """One sentence with the address."""
    world.set_up()
    config = world.folder / "nobody.toml"
    config.write_text(world.settings_text("http://127.0.0.1:1"))

    done = world.perflog("run", "--fail-fast", *options, config_file=config)

    assert done.returncode == 69
    assert done.stderr.count("perflog: Elasticsearch at http://127.0.0.1:1 does not answer") == 1
    assert "Trying again" not in done.stderr


@pytest.mark.stack
@pytest.mark.system
@pytest.mark.parametrize("options", [(), ("--workers", "2")], ids=["alone", "supervised"])
def test_a_worker_that_waits_for_kafka_ends_at_sigterm(world: World, options: tuple[str, ...]) -> None:
    """Nobody listens at the address: it waits and says so, and ends with 0."""
    config = world.folder / "nobody.toml"
    config.write_text(world.settings_text(world.stack.elasticsearch).replace(world.stack.kafka, "127.0.0.1:1"))
    with world.perflog_process("run", *options, config_file=config) as process:
        log = Log(process)
        log.until("Trying again")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0, log.whole()

    assert "Kafka at 127.0.0.1:1 does not answer" in log.whole()
    assert "stopping at its start" in log.whole()
    assert "Traceback" not in log.whole()
