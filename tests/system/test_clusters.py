"""Every command on a cluster of which one member is away: it goes on with those that answer.

Three brokers and three nodes, one of each stopped, killed or frozen, are `system`; the twin here has one broker and one
node, each beside an address where nothing listens.
"""

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import requests

from ingest.pipeline.intake.ship import ship, shipment
from tests.support import cli
from tests.support.cluster import Cluster, Member, cluster
from tests.support.http_nodes import gone_node
from tests.support.lines import distinct
from tests.support.waiting import DEADLINE_S, eventually
from tests.support.world import World

_NUMBERS = count(1)
RUN_ID = "1084664-62990"
REFUSED = b"Fri Feb  5 21:39:37 PST 2016: submit.sh:12:104-6:PERF:SUBMIT_GAL-norm:START_DATE=14547 \xff"
Call = Callable[..., cli.Done]

# In the order in which an operator would call them; `{}` is the facility.
COMMANDS = (
    "setup",
    "ship {}.log --intake lines --backfill",
    "run --drain",
    "sweep --once",
    "runs --facility {} --json",
    f"show {RUN_ID} --facility {{}} --json",
    "gaps --facility {} --json",
    "alerts run --once",
    "alerts list --facility {} --json",
    "workflow list",
    "dlq list --facility {} --json",
    "dlq replay --facility {} --json",
    "replay --facility {} --json",
    "run --drain",
)


def play(world: World, call: Call) -> None:
    """Call the commands: each succeeds, and the answers hold what was shipped."""
    answers: dict[str, bytes] = {}
    for command in COMMANDS:
        words = command.format(world.facility).split()
        done = call("--config", str(world.settings_file), *words)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout.decode()}\n{done.stderr.decode()}"
        answers[command] = done.stdout
    assert RUN_ID.encode() in answers["runs --facility {} --json"]
    assert b'"reason":"syntax"' in answers["dlq list --facility {} --json"], "the refused line is a dead letter"


def written(world: World, sample_lines: list[bytes]) -> None:
    """The file that `ship` sends: the real lines, and one that no grammar takes."""
    world.written(f"{world.facility}.log", [*sample_lines, REFUSED])


@pytest.mark.stack
def test_every_command_passes_over_an_address_where_nothing_listens(
    world: World, sample_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two addresses of either system is dead: no command fails, however often it is called."""
    with gone_node() as gone:
        world.stack = replace(
            world.stack,
            kafka=f"{gone.removeprefix('http://')}, {world.stack.kafka}",
            elasticsearch=f"{gone},{world.stack.elasticsearch}",
        )
        written(world, sample_lines)
        monkeypatch.chdir(world.folder)
        play(world, cli.perflog)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three brokers and three nodes."""
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


def choose_master(servers: Cluster) -> Member:
    """The node that leads the others."""
    master = requests.get(f"{servers.nodes[0].address}/_cluster/state/master_node,nodes", timeout=30).json()
    name = master["nodes"][master["master_node"]]["name"]
    return servers.nodes[int(name.rpartition("-")[2]) - 1]


@pytest.fixture
def three(servers: Cluster, tmp_path: Path, sample_lines: list[bytes], monkeypatch: pytest.MonkeyPatch) -> World:
    """A facility on the three and three."""
    made = World(servers.running, tmp_path, f"c{os.getpid()}_{next(_NUMBERS):04}")
    written(made, sample_lines)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.system
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP], ids=["stopped", "killed", "frozen"])
@pytest.mark.parametrize("number", range(3))
def test_every_command_goes_on_without_one_broker(
    servers: Cluster, three: World, how: signal.Signals, number: int
) -> None:
    """Whichever broker it is, right after it went: the others answer, and no command fails."""
    with servers.without(servers.brokers[number], how):
        play(three, cli.process)
        play(three, cli.process)


@pytest.mark.system
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP], ids=["stopped", "killed", "frozen"])
@pytest.mark.parametrize("is_master", [True, False], ids=["master", "another"])
def test_every_command_goes_on_without_one_node(
    servers: Cluster, three: World, how: signal.Signals, is_master: bool
) -> None:
    """The node that leads the others, or another one; the others choose a new leader by themselves."""
    master = choose_master(servers)
    member = master if is_master else next(node for node in servers.nodes if node is not master)
    with servers.without(member, how):
        play(three, cli.process)
        play(three, cli.process)


@pytest.mark.system
@pytest.mark.parametrize("number", range(3))
def test_ship_goes_on_when_a_broker_freezes_under_way(
    servers: Cluster, three: World, sample_lines: list[bytes], number: int
) -> None:
    """The first lines are acknowledged, then a broker freezes: leadership moves, and every line is acknowledged."""
    three.set_up(partitions=6)
    lines = distinct(sample_lines, 1000)
    path = three.written("long.log", lines)
    member = servers.brokers[number]
    stopped: list[Member] = []

    def freeze(_: int) -> None:
        if not stopped:
            stopped.append(member)
            member.signal(signal.SIGSTOP)

    try:
        what = shipment(three.settings.intake("lines"), three.knowledge.sources, [path], "test", manifest=False)
        report = ship(three.settings, what, freeze)
    finally:
        member.signal(signal.SIGCONT)
        servers.wait_until_whole()

    assert stopped
    assert report.messages == len(lines)
    assert {record.value for record in three.records(three.topic)} == set(lines)


@pytest.mark.system
def test_ship_names_the_brokers_that_do_not_answer(servers: Cluster, three: World) -> None:
    """With two of three frozen no record can be acknowledged: 69, and both are named, the third is not."""
    assert three.perflog("setup").returncode == 0
    frozen, alive = servers.brokers[:2], servers.brokers[2]
    try:
        for member in frozen:
            member.signal(signal.SIGSTOP)
        done = three.perflog("ship", f"{three.facility}.log", "--intake", "lines")
    finally:
        for member in frozen:
            member.signal(signal.SIGCONT)
        servers.wait_until_whole()

    assert done.returncode == 69
    assert all(member.address in done.stderr.partition("(")[0] for member in frozen), done.stderr
    assert alive.address not in done.stderr.partition("(")[0]


@pytest.mark.system
@pytest.mark.parametrize("system", ["broker", "node"])
def test_a_running_worker_goes_on(servers: Cluster, three: World, sample_lines: list[bytes], system: str) -> None:
    """A broker or a node freezes while a worker runs: what is shipped afterwards is stored, none twice, none lost."""
    three.set_up(partitions=6)
    lines = distinct(sample_lines, 9)[:300]
    with three.perflog_process("run") as process:
        three.ship(three.written("before.log", lines[:100]))
        eventually(lambda: stored(servers, three) == 100)
        member = servers.brokers[0] if system == "broker" else choose_master(servers)
        with servers.without(member, signal.SIGSTOP):
            three.ship(three.written("during.log", lines[100:200]))
            eventually(lambda: stored(servers, three, member) == 200, bound_s=240)
        three.ship(three.written("after.log", lines[200:]))
        eventually(lambda: stored(servers, three) == 300)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=DEADLINE_S) == 0


def stored(servers: Cluster, world: World, away: Member | None = None) -> int:
    """How many facts a node that is not away counts; none while it cannot."""
    node = next(node for node in servers.nodes if node is not away)
    try:
        answer = requests.get(f"{node.address}/perf-marks-{world.facility}*/_count", timeout=10)
        return int(answer.json().get("count", 0))
    except requests.RequestException:
        return 0


@pytest.mark.system
def test_setup_keeps_topics_by_the_clusters_size(servers: Cluster, three: World) -> None:
    """Three copies, two written first, also while a broker is down; one copy is a warning, four are refused."""
    topics: list[list[str]] = []
    with servers.without(servers.brokers[1], signal.SIGKILL):
        done = three.perflog("setup", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        topics.append([step["detail"] for step in json.loads(done.stdout) if step["what"] == "topic"])
    assert all("replication factor 3, min.insync.replicas 2" in detail for detail in topics[0])

    text = three.settings_text(servers.running.elasticsearch)
    for factor, code, words in ((1, 0, "kept by one of 3 brokers only"), (4, 78, "4 copies of topic")):
        fresh = text.replace("[kafka]", f"[kafka]\nreplication_factor = {factor}").replace(".v1", f".v{factor + 1}")
        config = three.folder / f"{factor}.toml"
        config.write_text(fresh)
        done = three.perflog("setup", config_file=config)
        assert done.returncode == code
        assert words in done.stderr
