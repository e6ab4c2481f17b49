"""The scene of a fault: a facility of its own with its lines in the topic, a front, and its workers."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from signal import SIGTERM
from threading import Event, Lock
from typing import Any, TypeVar

from elastic_transport import TransportError
from elasticsearch import ApiError
from kafka.errors import KafkaError

from tests.faults.cargo import PARTITIONS, Cargo, joined
from tests.faults.fleet import TAIL, Fleet, Worker
from tests.faults.servers import Servers
from tests.faults.sizes import Size
from tests.faults.wire import Wire
from tests.support.front import Answer, Bulk, Front, Step, front
from tests.support.waiting import eventually
from tests.support.world import World

T = TypeVar("T")
_NUMBERS = count(1)
LOGS = 3
FROM_SIZE = (
    "bulk_documents",
    "session_timeout_s",
    "heartbeat_s",
    "max_poll_interval_s",
    "timeout_s",
    "retry_most_s",
)
ORIGIN = re.compile(rb'"kafka":\s*"[^"/]+/([0-9]+)/([0-9]+)"')


def handed_on(bulk: Bulk) -> Answer | None:
    """Forward the request: the step of a front without a fault."""
    return bulk.hand_on()


@dataclass
class Watch:
    """Ask for the group's offsets and members over one connection, and open a new one after the broker restarted."""

    kafka: str
    group: str
    connection: Wire | None = None

    def ask(self, question: Callable[[Wire], T]) -> T | None:
        """The answer, or None while the broker does not give one."""
        try:
            self.connection = self.connection or Wire(self.kafka)
            return question(self.connection)
        except OSError:
            self.close()
            return None

    def committed(self) -> dict[int, int] | None:
        """Partition -> committed offset; None while the broker does not answer."""
        return self.ask(lambda wire: wire.committed(self.group))

    def members(self) -> int:
        """How many members the group has; none while the broker does not answer."""
        return len(self.ask(lambda wire: wire.members(self.group)) or ())

    def close(self) -> None:
        """Let the connection go."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@dataclass
class Gate:
    """Holds requests for marks in the front once `limit` documents went through, until it is opened.

    It notes for each worker the furthest record whose documents it has asked for.
    """

    limit: int
    bound_s: float
    then: Step = handed_on
    passed: int = 0
    seen: dict[int | None, dict[int, int]] = field(default_factory=dict)
    held: list[int | None] = field(default_factory=list)
    opened: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def __call__(self, bulk: Bulk) -> Answer | None:
        """Step in."""
        if bulk.kind == "marks" and self._holds(bulk):
            self.opened.wait(self.bound_s)
        return self.then(bulk)

    def _holds(self, bulk: Bulk) -> bool:
        origins = [(int(partition), int(offset)) for partition, offset in ORIGIN.findall(bulk.body)]
        with self.lock:
            furthest = self.seen.setdefault(bulk.worker, {})
            for partition, offset in origins:
                furthest[partition] = max(offset, furthest.get(partition, -1))
            self.passed += bulk.count
            if is_held := self.passed > self.limit:
                self.held.append(bulk.worker)
            return is_held

    def uncommitted(self, worker: Worker, committed: Mapping[int, int]) -> bool:
        """Whether the worker has sent documents of records that are not committed."""
        furthest = self.seen.get(worker.number, {})
        return any(offset >= committed.get(partition, 0) for partition, offset in furthest.items())


@dataclass
class Scene:
    """One facility under a fault.

    Attributes:
        cargo: all that was posted to its topic.
        rest: the lines that were held back.
        notes: remarks that the table shows beside the hits.
    """

    world: World
    size: Size
    servers: Servers
    front: Front
    fleet: Fleet
    watch: Watch
    random: Random
    rest: Cargo = field(default_factory=lambda: Cargo(()))
    cargo: Cargo = field(default_factory=lambda: Cargo(()))
    gates: list[Gate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def post(self, cargo: Cargo) -> None:
        """Put more lines into the topic."""
        cargo.post(self.world.stack.kafka, self.world.topic)
        self.cargo = joined([self.cargo, cargo])

    def post_rest(self) -> None:
        """Post the lines that were held back."""
        rest, self.rest = self.rest, Cargo(())
        self.post(rest)

    def start(self, *arguments: str, direct: bool = False, environment: dict[str, str] | None = None) -> Worker:
        """A worker, through the front or directly to the node."""
        address = self.world.stack.elasticsearch if direct else f"{self.front.address}/w{{number}}"
        return self.fleet.start(self.world.settings_text(address), "run", *arguments, environment=environment)

    def gate(self, share: float, then: Step = handed_on) -> Gate:
        """Hold all but this share of the documents in the front until the gate is opened; open the earlier gates."""
        for old in self.gates:
            old.opened.set()
        gate = Gate(int(share * len(self.cargo.facts)), self.size.bound_s, then)
        self.gates.append(gate)
        self.front.step = gate
        return gate

    def holding(self, gate: Gate) -> Worker:
        """Wait until the gate holds documents of a worker, uncommitted; return that worker."""
        self.eventually(lambda: gate.held, "the gate holds a request")
        number = gate.held[0]
        assert number is not None
        worker = self.fleet.workers[number]
        assert gate.uncommitted(worker, self.committed)
        return worker

    def eventually(self, condition: Any, description: str) -> None:
        """Wait within the bound; fail if a worker ends unexpectedly meanwhile."""
        eventually(lambda: self.broken or condition(), description, self.size.bound_s, self.details)
        assert not self.broken, f"worker {self.broken[0].number} ended with {self.broken[0].code}: {self.details()}"

    @property
    def broken(self) -> list[Worker]:
        """The workers with an exit code that the fault does not intend."""
        return [worker for worker in self.fleet.workers if worker.code not in (None, worker.meant)]

    def details(self) -> str:
        """The state of the scene, for the message of a test that fails."""
        workers = self.fleet.workers[-LOGS:]
        logs = "".join(f"\n--- worker {w.number} ({w.code}): {w.stderr_text[-TAIL:]}" for w in workers)
        committed = self.watch.committed()
        return f"committed {committed} of {len(self.cargo.messages)}, {self.members} members, {self.health}{logs}"

    @property
    def health(self) -> str:
        """The health that the node reports."""
        try:
            health = self.world.client.options(request_timeout=10).cluster.health().body
        except (ApiError, TransportError) as error:
            return f"no node ({type(error).__name__})"
        return ", ".join(f"{name} {health[name]}" for name in ("status", "active_shards", "number_of_pending_tasks"))

    @property
    def committed(self) -> dict[int, int]:
        """The committed offsets; waits for a broker that does not answer yet."""
        answers: list[dict[int, int]] = []

        def has_answered() -> bool:
            offsets = self.watch.committed()
            if offsets is not None:
                answers.append(offsets)
            return bool(answers)

        eventually(has_answered, "the broker answers", self.size.bound_s)
        return answers[0]

    @property
    def members(self) -> int:
        """How many members the group has."""
        return self.watch.members()

    @property
    def progress(self) -> int:
        """Records that are committed."""
        return sum(self.committed.values())

    def done(self) -> bool:
        """Whether everything is committed."""
        return self.progress >= len(self.cargo.messages)

    def finish(self) -> None:
        """The fault is over: workers that still run get the rest done and leave at a SIGTERM, or one worker drains."""
        for gate in self.gates:
            gate.opened.set()
        self.front.step = handed_on
        self.front.away = False
        if not self.fleet.alive:
            self.start("--drain").ended(self.size.bound_s)
        self.eventually(self.done, "everything is committed")
        leaving = self.fleet.alive
        for worker in leaving:
            worker.signal(SIGTERM)
        for worker in leaving:
            worker.ended(self.size.bound_s)
        assert not self.broken, self.details()


@contextmanager
def scene(servers: Servers, size: Size, folder: Path, settings: Mapping[str, float]) -> Iterator[Scene]:
    """A fresh facility with its topics, its front and no worker yet; all of its processes gone afterwards."""
    # Its faults are aimed at marks and ledger; what is derived has its own: pipeline/derive/test_deriver_crash.py.
    world = World(servers.running, folder, f"f{os.getpid()}_{next(_NUMBERS):04}", derive=False)
    for name, value in {**{name: getattr(size, name) for name in FROM_SIZE}, **settings}.items():
        setattr(world, name, value)
    servers.mended()
    world.set_up(PARTITIONS)
    with front(servers.running.elasticsearch) as before:
        made = Scene(
            world,
            size,
            servers,
            before,
            Fleet(folder),
            Watch(servers.running.kafka, world.facility),
            Random(world.facility),
        )
        try:
            yield made
        finally:
            for gate in made.gates:
                gate.opened.set()
            made.fleet.close()
            made.watch.close()
            with suppress(ApiError, TransportError, KafkaError):  # a server that a failed fault left away
                world.clear()
            world.client.close()
