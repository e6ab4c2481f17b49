"""SIGTERM in every state, with Kafka, Elasticsearch or both frozen: the worker ends in time and says what is left.

A frozen server answers nothing, so a request to it lasts until its time-out, which is 600 s here. A worker that ends
before that did not wait for an answer. Its own log says how long it took.
"""

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event

import pytest

from ingest.edge.local.plan import ELASTICSEARCH, KAFKA
from tests.support.front import Answer, Bulk, Front, front, refusal
from tests.support.frozen import frozen
from tests.support.ledger_checks import assert_tiled
from tests.support.log import Log
from tests.support.waiting import DEADLINE_S, eventually
from tests.support.world import World

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
TIMEOUT_S = 600.0
ENDED = re.compile(r"Stopped ([0-9.]+) s after SIGTERM")
BOTH = (KAFKA, ELASTICSEARCH)


@dataclass
class Hold:
    """Holds bulk requests of a kind in the front until it is opened; `answered` counts those that went through."""

    kind: str
    opened: Event = field(default_factory=Event)
    held: int = 0
    answered: int = 0

    def __call__(self, bulk: Bulk) -> Answer | None:
        """Step in."""
        if bulk.kind != self.kind:
            return bulk.hand_on()
        self.held += 1
        self.opened.wait(TIMEOUT_S)
        answer = bulk.hand_on()
        self.answered += 1
        return answer


@dataclass
class Scene:
    """A facility with lines in its topic, a front before Elasticsearch, and the process that is asked to stop."""

    world: World
    front: Front
    lines: list[bytes]
    stack: ExitStack
    holds: list[Hold] = field(default_factory=list)

    def start(self, *options: str) -> "subprocess.Popen[str]":
        """Start `perflog run`."""
        config = self.world.folder / "front.toml"
        config.write_text(self.world.settings_text(self.front.address))
        process = self.stack.enter_context(self.world.perflog_process("run", "--json", *options, config_file=config))
        self.process, self.log = process, Log(process)
        return process

    def ship(self) -> None:
        """Put the lines into the topic."""
        self.world.ship(self.world.written("a.log", self.lines))

    def hold(self, kind: str) -> Hold:
        """Hold requests of a kind; return once one is held."""
        hold = Hold(kind)
        self.holds.append(hold)
        self.front.step = hold
        return hold

    def until(self, condition: Callable[[], object], description: str) -> None:
        """Wait for a condition."""
        eventually(condition, description, details=lambda: self.log.text[-3000:])

    def until_idle(self) -> None:
        """Wait until everything in the topic is committed."""
        self.until(lambda: sum(self.world.committed().values()) == len(self.lines), "all is committed")


Prepare = Callable[[Scene], Hold | None]
"""Brings a worker into a state; the hold it returns is opened once the servers are frozen."""


def starting(scene: Scene) -> None:
    """Nothing was asked yet; the servers freeze before the first answer."""


def idle(scene: Scene) -> None:
    """Everything is committed."""
    scene.ship()
    scene.start()
    scene.until_idle()


def in_flight(scene: Scene) -> Hold:
    """A bulk request of facts waits for its answer."""
    return _held(scene, "marks")


def deriving(scene: Scene) -> Hold:
    """The facts are answered, the states of their runs are not."""
    return _held(scene, "runstate")


def committing(scene: Scene) -> Hold:
    """The ledger is being written; the commit comes next."""
    return _held(scene, "ledger")


def dead_letters(scene: Scene) -> Hold:
    """Facts wait for their answer; after it, rejects go to the dead-letter topic."""
    scene.lines.append(b"Fri Feb 5 21:39:37 PST 2016: a.sh:69:1-2:PRF:A:B=1")
    return _held(scene, "marks")


def _held(scene: Scene, kind: str, *options: str) -> Hold:
    scene.ship()
    hold = scene.hold(kind)
    scene.start(*options)
    scene.until(lambda: hold.held, f"a request for {kind} is held")
    return hold


def retrying(scene: Scene) -> None:
    """Elasticsearch answers 503 again and again."""
    scene.ship()
    scene.front.step = lambda bulk: refusal(503, {}) if bulk.kind == "marks" else bulk.hand_on()
    scene.start()
    scene.log.until("Trying again")


def rebalancing(scene: Scene) -> Hold:
    """Another worker joins while a request waits for its answer."""
    hold = _held(scene, "marks")
    config = scene.world.settings_file
    scene.stack.enter_context(scene.world.perflog_process("run", config_file=config))
    with scene.world.admin() as admin:
        facility = scene.world.facility
        scene.until(lambda: "Rebalance" in admin.describe_groups([facility])[facility]["group_state"], "a rebalance")
    return hold


def sweeping(scene: Scene) -> None:
    """The sweeper sweeps without a pause."""
    scene.world.sweep_s = 0.01
    idle(scene)


def several(scene: Scene) -> Hold:
    """Two workers under one supervisor; a request of one waits for its answer."""
    return _held(scene, "marks", "--workers", "2")


@contextmanager
def scene_of(world: World, lines: list[bytes]) -> Iterator[Scene]:
    """A facility of two partitions; all of its processes are gone afterwards."""
    world.timeout_s, world.session_timeout_s = TIMEOUT_S, 6.0
    world.set_up()
    with front(world.stack.elasticsearch) as before, ExitStack() as stack:
        before.timeout_s = TIMEOUT_S
        scene = Scene(world, before, list(lines), stack)
        try:
            yield scene
        finally:
            for hold in scene.holds:
                hold.opened.set()


def stopped_in(scene: Scene, prepare: Prepare, names: tuple[str, ...]) -> str:
    """Bring a worker into a state, freeze servers, send SIGTERM; return the log once it has ended with exit code 0."""
    hold = prepare(scene)
    with frozen(scene.world.stack, *names):
        if prepare is starting:
            scene.start()
            scene.log.until("Starting")
            time.sleep(1)  # some way into its first requests; any moment will do
        if hold is not None:
            hold.opened.set()
        scene.process.send_signal(signal.SIGTERM)
        code = scene.process.wait(DEADLINE_S)  # less than the time-out of the request that is not answered
    text = scene.log.whole()
    assert code == 0, text
    assert "Traceback" not in text
    assert "SIGTERM: stopping" in text
    return text


def assert_nothing_lost(scene: Scene) -> None:
    """Another worker does the rest: every line once, and the ledger without gap or overlap."""
    scene.front.step = lambda bulk: bulk.hand_on()
    scene.stack.close()
    scene.world.bury_dead_members()
    scene.world.drain()
    assert scene.world.facts() == scene.world.expected(scene.lines)
    assert scene.world.ledger_sums()["records"] == len(scene.lines)
    assert_tiled(scene.world)


PREPARES = (
    starting, idle, in_flight, retrying, rebalancing, sweeping, deriving, committing, dead_letters, several
)  # fmt: skip
STATES = [
    pytest.param(prepare, names, id=f"{prepare.__name__}-{'-'.join(names)}")
    for prepare in PREPARES
    for names in ((ELASTICSEARCH,), (KAFKA,), BOTH)
]


@pytest.mark.system
@pytest.mark.parametrize(("prepare", "names"), STATES)
def test_a_worker_ends_within_drain_s_and_two_seconds_in_every_state(
    world: World, sample_lines: list[bytes], prepare: Prepare, names: tuple[str, ...]
) -> None:
    """By its own log, which also names what it waited for; what was not committed is read again."""
    world.drain_s = 3.0
    with scene_of(world, sample_lines) as scene:
        if prepare is starting:
            scene.ship()
        text = stopped_in(scene, prepare, names)

        took_s = [float(match[1]) for match in ENDED.finditer(text)]
        assert took_s
        assert max(took_s) <= world.drain_s + 2, text
        assert_nothing_lost(scene)


@pytest.mark.parametrize(
    ("prepare", "names", "words"),
    [
        (in_flight, (ELASTICSEARCH,), "while waiting for Elasticsearch to take"),
        (committing, (KAFKA,), "Kafka"),
        (several, BOTH, "while waiting for Elasticsearch to take"),
    ],
    ids=["bulk in flight", "committing", "two workers"],
)
def test_a_stopped_worker_does_not_wait_for_a_frozen_server(
    world: World, sample_lines: list[bytes], prepare: Prepare, names: tuple[str, ...], words: str
) -> None:
    """It ends with 0, says what it waited for and how many records will be read again, and loses none."""
    world.drain_s = 1.0
    with scene_of(world, sample_lines) as scene:
        text = stopped_in(scene, prepare, names)

        assert words in text
        assert "records are not committed and will be read again; nothing is lost" in text
        assert json.loads(scene.process.stdout.read())["unfinished"] > 0  # type: ignore[union-attr]
        assert_nothing_lost(scene)
