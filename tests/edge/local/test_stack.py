"""The local stack with the real servers: up, status, down, and the cases in which a server fails."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from kafka import KafkaAdminClient

from ingest.core.model import Problem
from ingest.edge.local import checks, processes
from ingest.edge.local.stack import LocalStack, Running, Status, down, status, up
from ingest.edge.local.state import STATE_FILE

pytestmark = pytest.mark.stack


def _small(folder: Path) -> LocalStack:
    """A stack that leaves room for the other tests, on ports that nobody has."""
    return LocalStack(
        folder=folder,
        kafka_port=checks.free_port(),
        elasticsearch_port=checks.free_port(),
        kafka_heap_mib=256,
        elasticsearch_heap_mib=512,
        short_lived=True,
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """One stack for all of this module's tests; a blank in its folder's name, as on a shared desktop."""
    stack = _small(tmp_path_factory.mktemp("stack") / "a stack")
    yield stack
    down(stack, purge=True)


@pytest.fixture
def running(stack: LocalStack) -> Running:
    """That stack, up: started by the first test that asks, found running by the others."""
    return up(stack)


@pytest.fixture
def eight(tmp_path: Path) -> Iterator[LocalStack]:
    """A stack with the older Elasticsearch, up."""
    stack = replace(_small(tmp_path), elasticsearch_major=8)
    up(stack)
    yield stack
    down(stack)


def _by_name(stack: LocalStack) -> dict[str, Status]:
    return {server.name: server for server in status(stack)}


def _pid(stack: LocalStack, name: str) -> int:
    pid = _by_name(stack)[name].pid
    assert pid is not None
    return pid


def _programs_of(folder: Path) -> list[str]:
    """Command lines of the machine's processes that name this folder, whoever started them."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in lines if "java" in line and str(folder) in line]


def test_both_servers_really_answer(running: Running) -> None:
    """Not only is the port open: Kafka describes its cluster, Elasticsearch stores and finds."""
    client = KafkaAdminClient(bootstrap_servers=running.kafka)
    brokers = client.describe_cluster()["brokers"]
    client.close()
    assert [f"{broker['host']}:{broker['port']}" for broker in brokers] == [running.kafka]

    put = requests.put(f"{running.elasticsearch}/perf-try", json={"settings": {"number_of_replicas": 0}}, timeout=30)
    document = f"{running.elasticsearch}/perf-try/_doc/1"
    stored = requests.put(document, json={"a": 1}, params={"refresh": "true"}, timeout=30)
    answer = requests.get(f"{running.elasticsearch}/perf-try/_search", timeout=30).json()
    requests.delete(f"{running.elasticsearch}/perf-try", timeout=30)
    assert (put.status_code, stored.status_code, answer["hits"]["total"]["value"]) == (200, 201, 1)


def test_an_index_without_template_does_not_come_up_by_itself(running: Running) -> None:
    """A missing template shall be noticed, not guessed around; Kibana's own indices are let through."""
    refused = requests.put(f"{running.elasticsearch}/perf-x/_doc/1", json={"a": 1}, timeout=30)
    kibanas = requests.put(f"{running.elasticsearch}/.kibana_x/_doc/1", json={"a": 1}, timeout=30)

    assert (refused.status_code, kibanas.status_code) == (404, 201)


def test_up_again_starts_nothing(stack: LocalStack, running: Running) -> None:
    """The same processes go on, and it says so."""
    before = [server.pid for server in status(stack)]

    again = up(stack)

    assert again == replace(running, started=())
    assert [server.pid for server in status(stack)] == before


def test_status_describes_both_servers(stack: LocalStack, running: Running) -> None:
    """Version, process, address, memory and log of both."""
    servers = _by_name(stack)

    assert [server.state for server in servers.values()] == ["ready", "ready"]
    assert servers["kafka"].address == running.kafka
    assert servers["elasticsearch"].address == running.elasticsearch
    for server in servers.values():
        assert server.version
        assert server.version[0].isdigit()
        assert server.memory_bytes
        assert server.memory_bytes > 100 * checks.MIB
        assert server.log
        assert server.log.stat().st_size > 0


@pytest.mark.usefixtures("running")
def test_another_port_or_version_is_refused_while_it_runs(stack: LocalStack) -> None:
    """Rather than to say "already up" where nothing listens."""
    version = _by_name(stack)["elasticsearch"].version
    other = 8 if str(version).startswith("9") else 9

    with pytest.raises(Problem, match="already runs kafka"):
        up(replace(stack, kafka_port=checks.free_port()))
    with pytest.raises(Problem, match="already runs elasticsearch"):
        up(replace(stack, elasticsearch_major=other))


@pytest.mark.usefixtures("running")
def test_ports_left_open_are_those_where_it_runs(stack: LocalStack) -> None:
    """`perflog stack up` without options finds the stack that was started with some."""
    again = up(replace(stack, kafka_port=None, elasticsearch_port=None))

    assert again.started == ()
    assert again.kafka.endswith(f":{stack.kafka_port}")


@pytest.mark.usefixtures("running")
def test_half_a_stack_is_reported_and_mended(stack: LocalStack) -> None:
    """Only the dead server is started, on its old port."""
    survivor = _pid(stack, "kafka")
    os.kill(_pid(stack, "elasticsearch"), signal.SIGKILL)
    while _by_name(stack)["elasticsearch"].pid:
        time.sleep(0.05)

    servers = _by_name(stack)
    assert (servers["kafka"].state, servers["elasticsearch"].state) == ("ready", "died")
    assert (servers["elasticsearch"].pid, servers["elasticsearch"].memory_bytes) == (None, None)

    mended = up(replace(stack, kafka_port=None, elasticsearch_port=None))

    assert mended.started == ("elasticsearch",)
    assert mended.elasticsearch.endswith(f":{stack.elasticsearch_port}")
    assert _pid(stack, "kafka") == survivor
    assert [server.state for server in status(stack)] == ["ready", "ready"]


@pytest.mark.system
def test_elasticsearch_8_runs_too_and_down_ends_what_up_started_and_nothing_else(eight: LocalStack) -> None:
    """A process that got a pid of ours is not ours: its start time differs, so it lives on. The data stay."""
    assert str(_by_name(eight)["elasticsearch"].version).startswith("8.")
    bystander = processes.spawn(["/bin/sleep", "60"], eight.folder_path / "bystander.log")
    path = eight.folder_path / STATE_FILE
    remembered = json.loads(path.read_text())
    [kafka] = [entry for entry in remembered["services"] if entry["name"] == "kafka"]
    ours = processes.Process(**kafka["process"])
    kafka["process"]["pid"] = bystander.pid
    path.write_text(json.dumps(remembered))
    try:
        assert down(eight) == ("elasticsearch",)
        assert processes.alive(bystander)
        assert processes.alive(ours)
        assert [server.state for server in status(eight)] == ["stopped", "stopped"]
        assert (eight.folder_path / "kafka" / "data" / "meta.properties").exists()
        assert down(eight) == ()
    finally:
        processes.end([bystander, ours])
    assert not _programs_of(eight.folder_path)


def test_a_taken_port_starts_nothing(tmp_path: Path) -> None:
    """Not even the server whose port is free."""
    local_stack = _small(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        local_stack = replace(local_stack, kafka_port=holder.getsockname()[1])
        with pytest.raises(Problem, match="--kafka-port") as caught:
            up(local_stack)

    assert caught.value.exit_code == 69
    assert [server.state for server in status(local_stack)] == ["stopped", "stopped"]
    assert not _programs_of(tmp_path)


def test_a_server_that_does_not_come_up_takes_the_other_down_with_it(tmp_path: Path) -> None:
    """Its log is named and quoted. Here Kafka finds the data of another node, as after a careless copy."""
    local_stack = _small(tmp_path)
    data = tmp_path / "kafka" / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\nnode.id=7\n")

    with pytest.raises(Problem, match=r"kafka ended while it was starting. Its log says: .*node id 7") as caught:
        up(local_stack)

    assert caught.value.exit_code == 69
    assert str(tmp_path / "logs" / "kafka.log") in caught.value.remedy
    assert [server.state for server in status(local_stack)] == ["stopped", "stopped"]
    assert not _programs_of(tmp_path)


def test_purge_removes_only_the_files_of_the_stack(tmp_path: Path) -> None:
    """A folder that held something else keeps it."""
    (tmp_path / "notes.txt").touch()
    (tmp_path / "kafka").mkdir()
    (tmp_path / "logs").mkdir()

    assert down(LocalStack(tmp_path), purge=True) == ()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_down_where_nothing_ever_was_makes_no_folder(tmp_path: Path) -> None:
    """A mistyped --folder leaves no trace."""
    assert down(LocalStack(tmp_path / "typo")) == ()
    assert [server.state for server in status(LocalStack(tmp_path / "typo"))] == ["stopped", "stopped"]
    assert not (tmp_path / "typo").exists()


def test_without_java_the_error_names_the_package(tmp_path: Path) -> None:
    """Nothing on the PATH, JAVA_HOME points nowhere, no distribution's folder: one sentence, nothing started."""
    script = (
        "import sys; from pathlib import Path; from ingest.core.model import Problem;"
        "from ingest.edge.local.stack import LocalStack, up\n"
        "try: up(LocalStack(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), java_folders=()))\n"
        "except Problem as problem: print(problem); sys.exit(problem.exit_code)"
    )
    ports = [str(checks.free_port()), str(checks.free_port())]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), *ports],
        env={"PATH": str(tmp_path), "JAVA_HOME": str(tmp_path / "bogus"), "HOME": str(tmp_path)},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 69, done.stderr
    assert "No Java was found" in done.stdout
    assert "apt-get install openjdk" in done.stdout
    assert done.stdout.count("\n") == 1
    assert not _programs_of(tmp_path)
