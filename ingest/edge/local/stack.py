"""The local stack (`up`, `status`, `down`): one Kafka broker and one Elasticsearch node.

Uses one folder (configuration, data, logs, state), the jar cache, and only the processes that it started itself.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from errno import ENOTEMPTY
from pathlib import Path

from ingest.core.model import ExitCode, Problem
from ingest.edge.local import elasticsearch_node, kafka_broker, plan, processes, state
from ingest.edge.local.plan import ELASTICSEARCH, KAFKA, SERVICES, LocalStack
from ingest.edge.local.service import Service, Started, last_telling_line, sentence

__all__ = ["LocalStack", "Running", "Status", "down", "status", "up"]

_POLL_S = 0.1
_ANSWERS = {KAFKA: kafka_broker.answers, ELASTICSEARCH: elasticsearch_node.answers}
_OWN_FILES = (f"{KAFKA}", f"{ELASTICSEARCH}-8", f"{ELASTICSEARCH}-9", "logs", state.STATE_FILE, state.LOCK_FILE)


@dataclass(frozen=True, slots=True)
class Status:
    """One server's state: ready, starting (runs, does not answer yet), died (nobody stopped it) or stopped."""

    name: str
    state: str
    version: str | None = None
    pid: int | None = None
    address: str | None = None
    memory_bytes: int | None = None
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A stack that answers; `started` names the servers that this `up` started, none if all ran already."""

    kafka: str
    elasticsearch: str
    folder: Path
    started: tuple[str, ...]


def up(stack: LocalStack, tell: Callable[[str], None] = lambda _: None) -> Running:
    """Start the servers that do not run and wait until both answer; `tell` receives progress messages.

    Raises `Problem` if a prerequisite is missing or a server does not come up; then this call leaves nothing running.
    """
    with state.locked(stack.folder_path):
        recorded, running = state.read(stack.folder_path), _living(stack.folder_path)
        stack = plan.as_before(stack, recorded)
        plan.refuse_contradiction(stack, running)
        missing = [name for name in SERVICES if name not in running]
        services = plan.services(stack, missing, tell)
        everything = dict(running)
        try:
            for service in services:
                tell(f"Starting {service.name} {service.version}")
                everything[service.name] = _start(service)
                state.write(stack.folder_path, everything)
            _await_answers(tuple(everything.values()), stack.ready_timeout_s, tell)
        except BaseException:
            processes.end([everything[name].process for name in missing if name in everything])
            state.write(stack.folder_path, recorded)
            raise
    return Running(everything[KAFKA].address, everything[ELASTICSEARCH].address, stack.folder_path, tuple(missing))


def status(stack: LocalStack) -> tuple[Status, ...]:
    """Return the state of both servers; probes each one that runs."""
    recorded = state.read(stack.folder_path)
    return tuple(_status(recorded[name]) if name in recorded else Status(name, "stopped") for name in sorted(SERVICES))


def down(stack: LocalStack, purge: bool = False, tell: Callable[[str], None] = lambda _: None) -> tuple[str, ...]:
    """End exactly the processes that `up` started, with `purge` remove their data too. Returns the ended servers."""
    if not stack.folder_path.is_dir():
        return ()
    with state.locked(stack.folder_path):
        running = _living(stack.folder_path)
        tell(f"Ending {' and '.join(running) or 'nothing'}")
        processes.end([server.process for server in running.values()], tell)
        state.write(stack.folder_path, {})
        if purge:
            _purge(stack.folder_path)
    return tuple(running)


def _living(folder: Path) -> dict[str, Started]:
    return {name: server for name, server in state.read(folder).items() if processes.alive(server.process)}


def _start(service: Service) -> Started:
    service.prepare()
    service.log.parent.mkdir(exist_ok=True)
    if service.log.exists():
        service.log.replace(service.log.with_suffix(".log.old"))
    process = processes.spawn(service.command, service.log)
    return Started(service.name, service.version, service.port, service.address, service.log, process)


def _await_answers(servers: Sequence[Started], timeout_s: float, tell: Callable[[str], None]) -> None:
    until = time.monotonic() + timeout_s
    waiting = list(servers)
    while waiting:
        tell(f"Waiting for {' and '.join(server.name for server in waiting)}")
        for server in waiting:
            if not processes.alive(server.process):
                raise _failure(server, "ended while it was starting")
        waiting = [server for server in waiting if not _ANSWERS[server.name](server.port)]
        if waiting and time.monotonic() > until:
            raise _failure(waiting[0], f"does not answer at {waiting[0].address} after {timeout_s:.0f} s")
        time.sleep(_POLL_S if waiting else 0)


def _failure(server: Started, what: str) -> Problem:
    log_line = last_telling_line(server.log)
    quoted = f" Its log says: {sentence(log_line)}" if log_line else ""
    return Problem(f"{server.name} {what}.{quoted}", f"The whole log is {server.log}.", ExitCode.UNAVAILABLE)


def _status(server: Started) -> Status:
    running = processes.alive(server.process)
    answers = running and _ANSWERS[server.name](server.port)
    return Status(
        name=server.name,
        state="ready" if answers else "starting" if running else "died",
        version=server.version,
        pid=server.process.pid if running else None,
        address=server.address,
        memory_bytes=processes.memory_bytes(server.process),
        log=server.log,
    )


def _purge(folder: Path) -> None:
    """Remove only our own files, and the folder only if it is empty then, since others may have used it before."""
    for name in _OWN_FILES:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno != ENOTEMPTY:
            raise
