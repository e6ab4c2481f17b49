"""The pScheduler document around a result, with all the keys that an http archiver sends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from ingest.synthetic.network.path import PACIFIC

ALS_THROUGHPUT = "ps-sr1-als-bwctl.lbl.gov"
ALS_LATENCY = "ps-sr1-als-owamp.lbl.gov"
NERSC = "perfsonar.nersc.gov"
ADDRESS = {ALS_THROUGHPUT: "198.51.100.7", ALS_LATENCY: "198.51.100.8", NERSC: "192.0.2.20"}
SITE = {ALS_THROUGHPUT: "ALS", ALS_LATENCY: "ALS", NERSC: "NERSC"}

_LIMIT_DIAGS = (
    "Hints:\n  requester: {address}\n  server: {address}\nIdentified as everybody, local-interfaces\n"
    "Classified as default, friendlies\nApplication: Hosts we trust\n  Group 1: Limit 'always' passed\n"
    "  Group 1: Want all, 1/1 passed, 0/1 failed: PASS\n  Application PASSES\nPassed one application.  Stopping.\n"
    "Proposal meets limits\nNo priority requested; none given by the policy."
)


@dataclass(frozen=True, slots=True)
class Task:
    """A recurring test from one end to the other.

    Attributes:
        test_type: pScheduler's name of the test.
        tool: the plug-in that runs it.
        source: sending host, which also leads and reports.
        dest: receiving host.
        repeat_s: seconds from one result to the next; a background task itself is started once a day.
        slot_s: seconds reserved for a run.
        spec: what the user asks beside the two ends.
        both_ends: whether the far end takes part as a participant.
        background: whether one long task yields many results (latencybg).
    """

    test_type: str
    tool: str
    source: str
    dest: str
    repeat_s: int
    slot_s: int
    spec: Mapping[str, Any] = field(default_factory=dict)
    both_ends: bool = True
    background: bool = False

    @property
    def participants(self) -> list[str]:
        """Hosts that take part, lead first."""
        return [self.source, self.dest] if self.both_ends else [self.source]

    @property
    def test(self) -> dict[str, Any]:
        """The test as its user wrote it."""
        return {"type": self.test_type, "spec": {"schema": 1, "source": self.source, "dest": self.dest, **self.spec}}


@dataclass(frozen=True, slots=True)
class Report:
    """What the participants said, and what pScheduler merged it to."""

    merged: Mapping[str, Any] | None
    full: Sequence[Mapping[str, Any] | None]
    state: str = "finished"
    errors: str | None = None


def duration(seconds: float) -> str:
    """Write seconds as the ISO 8601 duration that pScheduler writes, to the microsecond."""
    if seconds == 0:
        return "P0D"
    minutes, rest = divmod(seconds, 60)
    text = f"{rest:.6f}".rstrip("0").rstrip(".")
    return "PT" + (f"{int(minutes)}M" if minutes else "") + (f"{text}S" if text != "0" else "")


def stamp(when: datetime, host: str) -> str:
    """Write an instant as the host's clock is set: at the ALS Pacific time, at NERSC UTC; whole seconds."""
    zone = UTC if host == NERSC else PACIFIC
    return when.astimezone(zone).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def run_id(task: Task, start: datetime, seed: int) -> UUID:
    """Return the run's id, the same whenever the same run is made again."""
    return uuid5(task_id(task, seed), start.astimezone(UTC).isoformat())


def task_id(task: Task, seed: int) -> UUID:
    """Return the task's id."""
    return uuid5(NAMESPACE_URL, f"https://{task.source}/synthetic/{seed}/{task.test_type}/{task.tool}/{task.dest}")


def document(task: Task, start: datetime, report: Report, seed: int) -> dict[str, Any]:
    """Return the whole document of one run.

    Args:
        task: the recurring test.
        start: when the run began, with a zone.
        report: its result.
        seed: tells made-up days of the same time apart.
    """
    href = f"https://{task.source}/pscheduler/tasks/{task_id(task, seed)}"
    identity = str(run_id(task, start, seed))
    return {
        "id": identity,
        "schedule": {"start": stamp(start, task.source), "duration": duration(task.slot_s)},
        "test": task.test,
        "tool": {"name": task.tool, "version": "1.0"},
        "participants": task.participants,
        "result": report.merged,
        "reference": _reference(task, seed),
        "run": _run(task, start, report, f"{href}/runs/{identity}"),
        "task": _task(task, start, seed, href),
    }


def _reference(task: Task, seed: int) -> dict[str, Any]:
    created_by = {
        "uuid": str(uuid5(NAMESPACE_URL, f"https://{task.source}/synthetic/{seed}")),
        "user-agent": "psconfig-pscheduler-agent",
        "address": ADDRESS[task.source],
        "agent-hostname": task.source,
    }
    return {
        "synthetic": True,
        "display-task-name": f"{SITE[task.source]} to {SITE[task.dest]} {task.test_type}",
        "display-task-group": ["ALS and NERSC (synthetic)"],
        "display-set-source": SITE[task.source],
        "display-set-dest": SITE[task.dest],
        "psconfig": {"created-by": created_by},
    }


def _run(task: Task, start: datetime, report: Report, href: str) -> dict[str, Any]:
    run: dict[str, Any] = {
        "added": stamp(start - timedelta(hours=1), task.source),
        "start-time": stamp(start, task.source),
        "end-time": stamp(start + timedelta(seconds=task.slot_s), task.source),
        "duration": duration(task.slot_s),
        "state": report.state,
        "state-display": report.state.capitalize(),
        "errors": report.errors,
        "priority": None,
        "limit-diags": _LIMIT_DIAGS.format(address=ADDRESS[task.source]),
        "participant": 0,
        "participants": task.participants,
        "result-full": list(report.full),
        "result-merged": report.merged,
        "href": href,
        "task-href": href.partition("/runs/")[0],
    }
    if report.state == "failed":
        run["clock-survey"] = [_clock(start, task) for _ in task.participants]
    return run


def _clock(start: datetime, task: Task) -> dict[str, Any]:
    return {
        "time": stamp(start, task.source),
        "synchronized": True,
        "source": "ntp",
        "reference": "secondary reference (2) from 192.0.2.9",
        "offset": 0.00011,
    }


def _task(task: Task, start: datetime, seed: int, href: str) -> dict[str, Any]:
    hours = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    added = stamp(hours.replace(hour=0) - timedelta(days=1), task.source)
    runs = int((start - hours.replace(hour=0)).total_seconds()) // task.repeat_s + 1
    return {
        "test": task.test,
        "tool": task.tool,
        "tools": [task.tool],
        "schedule": {"repeat": "P1D" if task.background else duration(task.repeat_s), "slip": "PT5M", "sliprand": True},
        "reference": _reference(task, seed),
        "priority": None,
        "detail": {
            "added": added,
            "anytime": task.background or not task.both_ends,
            "cli": ["--source", task.source, "--dest", task.dest],
            "diags": "",
            "duration": duration(task.slot_s),
            "enabled": True,
            "exclusive": task.test_type == "throughput",
            "hints": {"requester": ADDRESS[task.source], "server": ADDRESS[task.source]},
            "multi-result": task.background,
            "participant": 0,
            "participants": task.participants,
            "post": "P0D",
            "runs": runs,
            "runs-started": runs,
            "slip": "PT5M",
            "start": added,
        },
        "href": href,
    }
