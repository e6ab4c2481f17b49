"""Least privilege: the rights that deploy/README.md lists for each command are enough, and each is needed and named.

Against a real broker with Kafka's own authorizer; every test has a user of its own.
"""

import re
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
from kafka import errors
from kafka.admin import ConfigResource, ConfigResourceType

from ingest.config.settings import Delivery, Kafka
from ingest.core.kafka_record import Partition
from ingest.core.model import ExitCode
from ingest.edge.errors import ServiceBlocked
from ingest.edge.kafka.consumer import GroupConsumer
from ingest.edge.kafka.rights import GROUP, READ, TOPIC, WRITE, Right, denied_rights, missing, topic_rights
from ingest.edge.kafka.topics import MAX_MESSAGE_BYTES
from ingest.edge.local.stack import Running
from tests.faults.fleet import Fleet, Worker
from tests.support.cli import Done, perflog
from tests.support.secure_broker import OPERATOR, PASSWORD, USERS, SecureBroker
from tests.support.waiting import eventually
from tests.support.world import ROOT, World

_NUMBERS = count()
ENDS_S = 30.0
PAGE = ROOT / "deploy" / "README.md"
FACILITY = "rights"
LINES, DEAD = f"perf.{FACILITY}.lines.v1", f"perf.{FACILITY}.deadletter.v1"
SAMPLE = (ROOT / "grammars" / "als_perf" / "samples.log").read_bytes().splitlines()
TORN = b"Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32:1084664-62990:PERF:"
RUN = [f"READ TOPIC {LINES}", f"DESCRIBE_CONFIGS TOPIC {LINES}", f"WRITE TOPIC {DEAD}",
       f"DESCRIBE_CONFIGS TOPIC {DEAD}", f"READ GROUP {FACILITY}"]  # fmt: skip
# The rights that each command needs: as in the table of deploy/README.md.
COMMANDS = {
    "ship {file} --intake lines": [f"WRITE TOPIC {LINES}", f"DESCRIBE_CONFIGS TOPIC {LINES}"],
    "run --drain --accept-rejects": RUN,
    "sweep --once": [f"DESCRIBE TOPIC {LINES}", f"DESCRIBE GROUP {FACILITY}"],
    "generate --lines 20 --rate 1000 --intake lines": [f"WRITE TOPIC {LINES}"],
    f"replay --facility {FACILITY}": [f"WRITE TOPIC {LINES}"],
    f"dlq show --facility {FACILITY}": [f"READ TOPIC {DEAD}"],
    f"dlq replay --again --facility {FACILITY}": [f"READ TOPIC {DEAD}", f"WRITE TOPIC {LINES}"],
    "dlq purge --replayed --yes": [f"DELETE TOPIC {DEAD}"],
}


def settings_of(world: World, broker: SecureBroker, user: str, mechanism: str = "PLAIN") -> str:
    """The world's settings as a user has them."""
    security = (
        f'protocol = "SASL_PLAINTEXT"\nsasl_mechanism = "{mechanism}"\nuser = "{user}"\npassword = "{USERS[user]}"\n'
    )
    text = world.settings_text(world.stack.elasticsearch).replace(broker.address(OPERATOR), broker.address(PASSWORD))
    return text.replace("[elasticsearch]", f"{security}[elasticsearch]")


@pytest.fixture
def user() -> str:
    """One whom no other test grants anything."""
    return f"user{next(_NUMBERS) + 1}"


@pytest.fixture(scope="module")
def world(stack: Running, broker: SecureBroker, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A facility on this broker, as its operator sees it: set up, with stored lines and a dead letter."""
    facility = World(replace(stack, kafka=broker.address(OPERATOR)), tmp_path_factory.mktemp(FACILITY), FACILITY)
    facility.set_up(1)
    facility.ship(facility.written("sample.log", [*SAMPLE, TORN]))
    facility.drain()
    return facility


def is_done(done: Done) -> bool:
    """Whether a command did its work."""
    return done.returncode == 0


def denies(right: str) -> Callable[[Done], bool]:
    """Whether a command ended with 77 and the name of this right, in a sentence without the raw request."""
    operation, kind, name = right.split()

    def is_denied(done: Done) -> bool:
        words = done.stderr.decode().splitlines()
        is_named = f" {operation} on {kind.lower()} {name}" in words[-1] and words[-1].startswith(
            "perflog: Kafka denies"
        )
        return done.returncode == ExitCode.NO_PERMISSION and is_named and "Traceback" not in "".join(words)

    return is_denied


def ends(words: Sequence[str], holds: Callable[[Done], bool], what: str) -> None:
    """Run a command until it ends as it must: the authorizer learns of a right a moment after it was granted."""
    runs: list[Done] = []

    def is_so() -> bool:
        runs.append(perflog(*words))
        return holds(runs[-1])

    eventually(is_so, what, bound_s=ENDS_S, details=lambda: f"{' '.join(words)}: {runs[-1]}")


@pytest.mark.stack
@pytest.mark.parametrize("command", COMMANDS)
def test_the_rights_of_a_command_are_enough_and_each_is_needed(
    command: str, user: str, world: World, broker: SecureBroker, tmp_path: Path
) -> None:
    """Without one of them it ends at once with 77 and names it; with all of them it does its work."""
    settings = tmp_path / "perflog.toml"
    settings.write_text(settings_of(world, broker, user))
    words = ("--config", str(settings), *command.format(file=world.written("more.log", [*SAMPLE, TORN])).split())
    rights = COMMANDS[command]
    broker.grant(user, *rights)

    for right in rights:
        broker.revoke(user, right)
        ends(words, denies(right), f"without {right} it ends so")
        broker.grant(user, right)
    ends(words, is_done, "with all rights it does its work")


@pytest.mark.stack
def test_the_dead_letters_that_may_not_be_described_are_not_told_as_missing(
    user: str, world: World, broker: SecureBroker, tmp_path: Path
) -> None:
    """`dlq list` counts the rejects all the same, and says which right it lacks."""
    settings = tmp_path / "perflog.toml"
    settings.write_text(settings_of(world, broker, user))

    denied = perflog("--config", str(settings), "dlq", "list")
    broker.grant(user, f"DESCRIBE TOPIC {DEAD}")

    assert denied.returncode == 0
    assert f"DESCRIBE on topic {DEAD}" in denied.stdout.decode()
    assert "There is no topic" not in denied.stdout.decode()
    eventually(lambda: b"denies" not in perflog("--config", str(settings), "dlq", "list").stdout)


@pytest.mark.stack
@pytest.mark.parametrize("create", ["topics", "cluster"])
def test_setup_is_told_what_it_lacks_before_it_changes_anything(
    create: str, user: str, world: World, broker: SecureBroker, tmp_path: Path
) -> None:
    """CREATE of the topics or of the cluster, DESCRIBE, DESCRIBE_CONFIGS; ALTER_CONFIGS only to alter a topic."""
    facility = f"set_up_{create}"
    lines, dead = f"perf.{facility}.lines.v1", f"perf.{facility}.deadletter.v1"
    settings = tmp_path / "perflog.toml"
    settings.write_text(settings_of(replace_facility(world, facility), broker, user))
    words = ("--config", str(settings), "setup", "--partitions", "1")
    creating = [f"CREATE TOPIC {name}" for name in (lines, dead)]
    seeing = [f"{operation} TOPIC {name}" for name in (lines, dead) for operation in ("DESCRIBE", "DESCRIBE_CONFIGS")]

    for right in seeing:
        ends(words, denies(right), f"without {right} it ends so")
        broker.grant(user, right)
    ends(words, denies(creating[0]), "CREATE is named")
    with broker.operator() as admin:
        assert {topic["error_code"] for topic in admin.describe_topics([lines, dead])} == {3}, "nothing was created"
    broker.grant(user, *(creating if create == "topics" else ["CREATE CLUSTER kafka-cluster"]))
    ends(words, is_done, "it is set up")
    settings.write_text(settings.read_text().replace("[delivery]", "[delivery]\nmax_message_bytes = 7000000"))
    ends(words, denies(f"ALTER_CONFIGS TOPIC {lines}"), "ALTER_CONFIGS is named")
    broker.grant(user, f"ALTER_CONFIGS TOPIC {lines}", f"ALTER_CONFIGS TOPIC {dead}")
    ends(words, is_done, "it is altered")
    with broker.operator() as admin:
        resource = ConfigResource(ConfigResourceType.TOPIC, lines, [MAX_MESSAGE_BYTES])
        altered = admin.describe_configs([resource], config_filter="all")["topic"][lines]
    assert int(altered[MAX_MESSAGE_BYTES]["value"]) > 7_000_000


def replace_facility(world: World, facility: str) -> World:
    """Another facility on the same servers."""
    return World(world.stack, world.folder, facility)


@dataclass
class RunningWorker:
    """A facility with one worker process, which a user of the broker runs."""

    facility: World
    worker: Worker

    def is_committed(self) -> bool:
        """Whether everything in the topic is committed."""
        return bool(self.facility.committed()) and self.facility.committed() == self.facility.ends()

    def wait_until_committed(self) -> None:
        """Until then."""
        eventually(self.is_committed, "all is committed", details=lambda: self.worker.stderr_text)

    def wait_until_logged(self, words: str) -> None:
        """Until the worker has said so; it runs on."""
        eventually(lambda: words in self.worker.stderr_text, words, details=lambda: self.worker.stderr_text)
        assert self.worker.code is None, self.worker.stderr_text

    def ends_well(self) -> None:
        """A worker that is stopped finishes its work; it had said that an operator has to act."""
        self.worker.signal(signal.SIGTERM)
        assert self.worker.ended(60) == 0
        assert "An operator has to fix this" in self.worker.stderr_text


Starts = Callable[[str, str], RunningWorker]


@pytest.fixture
def starts(user: str, world: World, broker: SecureBroker, tmp_path: Path) -> Iterator[Starts]:
    """Starts a worker for a facility of that name by a mechanism of SASL, with the rights that `run` needs."""
    fleet = Fleet(tmp_path)

    def start(name: str, mechanism: str) -> RunningWorker:
        facility = World(world.stack, tmp_path, name, sweep_s=3600.0)
        facility.set_up(1)
        broker.set_password(user, USERS[user])
        broker.grant(user, *(right.replace(FACILITY, name) for right in RUN))
        settings = settings_of(facility, broker, user, mechanism)
        running = RunningWorker(facility, fleet.start(settings, "run", "--accept-rejects"))
        facility.ship(facility.written("first.log", SAMPLE[:1]))
        running.wait_until_committed()
        return running

    yield start
    fleet.close()


@pytest.mark.stack
@pytest.mark.parametrize("right", ["READ TOPIC perf.{}.lines.v1", "WRITE TOPIC perf.{}.deadletter.v1", "READ GROUP {}"])
def test_a_right_that_is_taken_away_while_a_worker_runs_is_waited_for(
    right: str, user: str, broker: SecureBroker, starts: Starts
) -> None:
    """It is named, the worker stays, and once the right is given back it continues: nothing is lost or stored twice."""
    name = "_".join(right.lower().split()[:2])
    running, right = starts(name, "PLAIN"), right.format(name)
    operation, kind, resource = right.split()

    broker.revoke(user, right)
    running.facility.ship(running.facility.written("second.log", [SAMPLE[1], TORN]))
    running.wait_until_logged(f"Kafka denies User:{user} {operation} on {kind.lower()} {resource}")
    assert not running.is_committed()
    broker.grant(user, right)

    running.wait_until_committed()
    running.ends_well()
    sums = running.facility.ledger_sums()
    assert (sums["records"], sums["stored"], sums["rejected"]) == (3, 2, 1)
    dead_letters = running.facility.records(running.facility.settings.delivery.dead_letter_topic)
    assert {record.value for record in dead_letters} == {TORN}


@pytest.mark.stack
def test_a_password_that_is_changed_while_a_worker_runs_is_waited_for(
    user: str, broker: SecureBroker, starts: Starts
) -> None:
    """The worker says that the broker rejects it, stays, and goes on once the password is right again."""
    running = starts("changed", "SCRAM-SHA-512")

    broker.set_password(user, "another")
    running.wait_until_logged(f"rejects the user `{user}` or the password")
    running.facility.ship(running.facility.written("second.log", SAMPLE[1:5]))
    broker.set_password(user, USERS[user])

    running.wait_until_committed()
    running.ends_well()
    assert running.facility.ledger_sums()["stored"] == 5


@pytest.mark.stack
def test_a_denied_poll_is_named_and_leaves_no_partition_paused(
    world: World, broker: SecureBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose threads have no room only keeps its place; it must read on once it has room and the right."""
    consumer = GroupConsumer(Kafka(bootstrap=(broker.address(OPERATOR),)), Delivery(), [world.topic], "paused")
    at = Partition(world.topic, 0)

    def is_assigned() -> bool:
        consumer.is_rebalancing()
        consumer.poll(0.1, 1)
        return at in consumer.take_changes()[1]

    def deny(**_: object) -> None:
        raise errors.GroupAuthorizationFailedError("paused")

    eventually(is_assigned)
    consumer.begin(at)
    with monkeypatch.context() as patched:
        patched.setattr(consumer._consumer, "poll", deny)
        with pytest.raises(ServiceBlocked, match="READ on group paused"):
            consumer.keep_alive()

    assert consumer._consumer.paused() == set()
    consumer.close()


def rights_on_the_page(command: str) -> set[str]:
    """The rights in a command's row of the table; those that it needs only if a dead letter is gone are left out."""
    row = next(line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{command}` |"))
    cells = [re.sub(r"READ, if [^;|]*", "", cell) for cell in row.strip("|").split("|")[1:]]
    resources = (f"TOPIC {LINES}", f"TOPIC {DEAD}", f"GROUP {FACILITY}")
    return {
        f"{operation} {resource}"
        for cell, resource in zip(cells, resources, strict=True)
        for operation in re.findall(r"[A-Z_]{4,}", cell)
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_lists_the_rights_that_are_tried(command: str) -> None:
    """The table of deploy/README.md, row by row."""
    name = " ".join(word for word in command.split()[:2] if word.isalpha())

    assert rights_on_the_page(name) == set(COMMANDS[command])


KAFKA = Kafka(protocol="SASL_PLAINTEXT", user="ship")


@pytest.mark.parametrize(
    ("error", "names"),
    [
        (errors.TopicAuthorizationFailedError("b"), ["WRITE on topic b"]),
        (errors.TopicAuthorizationFailedError({"a", "b"}), ["WRITE on topic a", "WRITE on topic b"]),
        (errors.TopicAuthorizationFailedError(), ["WRITE on topic a", "WRITE on topic b"]),
        (errors.GroupAuthorizationFailedError("g"), ["READ on group g"]),
        (errors.KafkaError("Unexpected error: [Error 31] ClusterAuthorizationFailedError"),
         ["WRITE on topic a", "WRITE on topic b", "READ on group g"]),
        (errors.KafkaTimeoutError("b"), []),
    ],
)  # fmt: skip
def test_an_error_is_about_the_rights_of_the_call_that_it_names(error: errors.KafkaError, names: list[str]) -> None:
    """All of them where the error names none; none where it is about something else."""
    asked = [*topic_rights(["a", "b"], WRITE), Right(READ, GROUP, "g")]

    assert [str(right) for right in denied_rights(error, asked)] == names


@pytest.mark.parametrize(
    ("error", "names"),
    [
        (errors.TopicAuthorizationFailedError({"b"}), ["READ on topic b"]),
        (errors.GroupAuthorizationFailedError("g"), ["READ on group g"]),
        (errors.TopicAuthorizationFailedError("Error deleting records from topic b"), []),
    ],
)
def test_an_error_that_names_a_resource_is_about_reading_it(error: errors.KafkaError, names: list[str]) -> None:
    """Where the caller knows nothing better; a sentence is no name."""
    assert [str(right) for right in denied_rights(error, [])] == names


def test_the_remedy_is_the_command_that_grants_the_right() -> None:
    """As Kafka's tool takes it, for the user of the settings."""
    problem = missing([Right("DESCRIBE_CONFIGS", TOPIC, "perf.a"), Right(READ, GROUP, "g")], KAFKA)

    assert problem.message == "Kafka denies User:ship DESCRIBE_CONFIGS on topic perf.a, READ on group g."
    grant = "kafka-acls --add --allow-principal User:ship --operation DescribeConfigs --topic perf.a"
    assert f"`{grant}` and so on" in problem.remedy
    assert problem.exit_code == ExitCode.NO_PERMISSION
