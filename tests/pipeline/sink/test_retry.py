"""Waits grow, end on request, and are nowhere else but where the docstring says."""

import ast
import re
from pathlib import Path

import pytest

from ingest.core.model import ExitCode, Problem
from ingest.edge.errors import ServiceBlocked, Unavailable
from ingest.pipeline.sink import retry
from ingest.pipeline.sink.retry import RetryPolicy, StopRequested

INGEST = Path(retry.__file__).parents[2]
WAITS = {"sleep", "wait", "pause", "delay_s"}
PARTITIONS = "_consumer.pause"  # pauses partitions, not the caller


class Clock:
    """Seconds that pass when the test says so."""

    now_s = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def test_a_backoff_grows_with_each_failure_and_starts_again_after_a_success() -> None:
    """Between half and whole of 1, 2, 4, 4 … seconds; nothing blocks."""
    clock = Clock()
    backoff = RetryPolicy(1.0, 4.0).backoff(clock)

    for whole_s in (1.0, 2.0, 4.0, 4.0):
        backoff.failed()
        clock.now_s += whole_s * 0.499
        assert not backoff.due
        clock.now_s += whole_s * 0.502
        assert backoff.due

    backoff.succeeded()
    assert backoff.due
    backoff.failed()
    clock.now_s += 1.0
    assert backoff.due


def test_an_attempt_is_repeated_until_it_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    """Unavailable and blocked alike; the log names an operator only for what an operator has to fix."""
    errors = [Unavailable("busy"), ServiceBlocked("no right")]

    def attempt() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    assert RetryPolicy(0.001, 0.002).until_done(attempt) == "done"

    assert [("operator" in record.message) for record in caplog.records] == [False, True]


def test_a_stop_ends_every_wait() -> None:
    """Also one that begins after it."""
    policy = RetryPolicy(1000.0, 1000.0)
    policy.end()

    with pytest.raises(StopRequested):
        policy.wait("Something is away.", 0)
    policy.pause(1000.0)
    assert policy.stop


def waiting_modules() -> set[str]:
    """The modules of pipeline and edge that call something that waits."""
    modules = set()
    for path in [*(INGEST / "pipeline").rglob("*.py"), *(INGEST / "edge").rglob("*.py")]:
        text = path.read_text()
        calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}
        names = {call.rpartition(".")[2] for call in calls if not call.endswith(PARTITIONS)}
        if names & WAITS or re.search(r"\b(deadline|until) = time", text):
            modules.add(path.relative_to(INGEST).with_suffix("").as_posix().removeprefix("pipeline/"))
    return modules


def test_every_module_that_waits_stands_in_the_docstring_with_its_reason() -> None:
    """Who adds a wait of its own has to say why a `RetryPolicy` does not do."""
    users_of_the_policy = {"sink/bulk_writer", "sink/retry"}
    heads = re.findall(r"^([a-z/_ ]+?) {2,}", retry.__doc__ or "", re.MULTILINE)
    documented = {name for head in heads for name in head.split()}

    assert waiting_modules() - users_of_the_policy == documented


def test_a_service_that_does_not_answer_is_waited_for() -> None:
    """As often as it takes; what waiting cannot mend is raised at once, and a stop request ends the wait."""
    problems = [Problem("away", "", ExitCode.UNAVAILABLE)] * 3
    calls = 0

    def attempt() -> str:
        nonlocal calls
        calls += 1
        if problems:
            raise problems.pop()
        return "there"

    assert RetryPolicy(0.0, 0.0).until_available(attempt) == "there"
    assert calls == 4

    for code in (ExitCode.CONFIG, ExitCode.NO_PERMISSION, ExitCode.SOFTWARE):
        problems.append(Problem("certain to fail", "", code))
        with pytest.raises(Problem, match="certain"):
            RetryPolicy(0.0, 0.0).until_available(attempt)

    problems.append(Problem("away", "", ExitCode.UNAVAILABLE))
    stopping = RetryPolicy(60.0, 60.0)
    stopping.end()
    with pytest.raises(StopRequested, match="away"):
        stopping.until_available(attempt)
