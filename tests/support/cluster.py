"""Three brokers and three nodes that tests own: one of them may be ended, killed or frozen while the others go on.

Each server is started from the local stack's own description of it. What makes them one cluster is written beside.
"""

import os
import re
import shutil
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from ingest.edge.local import kafka_broker, plan, processes
from ingest.edge.local.plan import ELASTICSEARCH, KAFKA, LocalStack
from ingest.edge.local.processes import Process
from ingest.edge.local.service import Service
from ingest.edge.local.stack import Running
from tests.conftest import free_port
from tests.support.waiting import eventually

SERVERS = 3
ANSWER_TIMEOUT_S = 5
CLUSTER_FORMED_S = 180.0

# Short enough that a test sees the cluster give up a frozen member, long enough for a machine that is busy.
_BROKER = """
node.id={number}
controller.quorum.voters={voters}
default.replication.factor=3
offsets.topic.replication.factor=3
offsets.topic.num.partitions=3
broker.session.timeout.ms=9000
broker.heartbeat.interval.ms=2000
"""
_NODE = """\
discovery.seed_hosts: [{hosts}]
cluster.initial_master_nodes: [{names}]
cluster.fault_detection.follower_check.timeout: 3s
cluster.fault_detection.leader_check.timeout: 3s
"""


@dataclass
class Member:
    """One server of a cluster: where clients reach it, and its process while it runs."""

    service: Service
    process: Process | None = None

    @property
    def address(self) -> str:
        """Where clients reach it."""
        return self.service.address

    def start(self) -> None:
        """Start it; returns before it answers."""
        self.service.log.parent.mkdir(parents=True, exist_ok=True)
        self.process = processes.spawn(self.service.command, self.service.log)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; one that ends it is waited for."""
        assert self.process is not None
        os.kill(self.process.pid, number)
        if number in (signal.SIGTERM, signal.SIGKILL):
            processes.end([self.process])

    def end(self) -> None:
        """End it, frozen or not."""
        if self.process is not None and processes.alive(self.process):
            os.kill(self.process.pid, signal.SIGCONT)
            os.kill(self.process.pid, signal.SIGKILL)
            processes.end([self.process])


@dataclass
class Cluster:
    """The brokers and the nodes."""

    folder: Path
    brokers: list[Member]
    nodes: list[Member]

    @property
    def running(self) -> Running:
        """The cluster as `World` takes a stack: both addresses are written with commas."""
        kafka = ",".join(broker.address for broker in self.brokers)
        elasticsearch = ",".join(node.address for node in self.nodes)
        return Running(kafka, elasticsearch, self.folder, ())

    @contextmanager
    def without(self, member: Member, how: signal.Signals) -> Iterator[None]:
        """Stop, kill or freeze a member; afterwards it is back and the clusters are whole."""
        member.signal(how)
        try:
            yield
        finally:
            if how is signal.SIGSTOP:
                member.signal(signal.SIGCONT)
            else:
                member.start()
            self.wait_until_whole()

    def wait_until_whole(self) -> None:
        """Wait until every broker and every node takes part, and no copy of anything is behind."""
        eventually(self._nodes_are_whole, "three nodes, green", CLUSTER_FORMED_S, self._logs(self.nodes))
        eventually(self._brokers_are_whole, "three brokers", CLUSTER_FORMED_S, self._logs(self.brokers))

    def _nodes_are_whole(self) -> bool:
        return all(_is_whole(node.address) for node in self.nodes)

    def _brokers_are_whole(self) -> bool:
        if not all(kafka_broker.answers(broker.service.port) for broker in self.brokers):
            return False
        try:
            admin = KafkaAdminClient(bootstrap_servers=[broker.address for broker in self.brokers])
        except KafkaError:
            return False
        try:
            partitions = [part for topic in admin.describe_topics() for part in topic["partitions"]]
        except KafkaError:
            return False
        finally:
            admin.close()
        return all(len(part["isr_nodes"]) == len(part["replica_nodes"]) for part in partitions)

    def _logs(self, members: list[Member]) -> Callable[[], str]:
        return lambda: "\n".join(member.service.log.read_text(errors="replace")[-2000:] for member in members)


def _is_whole(address: str) -> bool:
    try:
        health = requests.get(f"{address}/_cluster/health", timeout=ANSWER_TIMEOUT_S).json()
    except (requests.RequestException, ValueError):
        return False
    return (health.get("number_of_nodes"), health.get("status")) == (SERVERS, "green")


def _brokers(folder: Path) -> list[Member]:
    """Three brokers, each a controller too; the first one's data folder is formatted and copied."""
    ports = [(free_port(), free_port()) for _ in range(SERVERS)]
    voters = ",".join(f"{number}@127.0.0.1:{pair[1]}" for number, pair in enumerate(ports, 1))
    members: list[Member] = []
    for number, (port, controller_port) in enumerate(ports, 1):
        home = folder / f"broker-{number}"
        stack = LocalStack(
            folder=home, kafka_port=port, controller_port=controller_port, kafka_heap_mib=256, short_lived=True
        )
        (service,) = plan.services(stack, [KAFKA], lambda _: None)
        if members:
            _copy_formatted(folder / "broker-1" / KAFKA / "data", home / KAFKA / "data", number)
        service.prepare()
        with (home / KAFKA / "server.properties").open("a") as properties:
            properties.write(_BROKER.format(number=number, voters=voters))
        members.append(Member(service))
    return members


def _copy_formatted(formatted: Path, data: Path, number: int) -> None:
    """Make a data folder of the same cluster for another broker."""
    shutil.copytree(formatted, data)
    meta = data / "meta.properties"
    directory_id = uuid.uuid4().bytes.hex()[:22]
    text = re.sub("(?m)^node.id=.*$", f"node.id={number}", meta.read_text())
    meta.write_text(re.sub("(?m)^directory.id=.*$", f"directory.id={directory_id}", text))


def _nodes(folder: Path) -> list[Member]:
    ports = [(free_port(), free_port()) for _ in range(SERVERS)]
    hosts = ", ".join(f'"127.0.0.1:{pair[1]}"' for pair in ports)
    names = ", ".join(f"node-{number}" for number in range(1, SERVERS + 1))
    members = []
    for number, (port, transport_port) in enumerate(ports, 1):
        home = folder / f"node-{number}"
        stack = LocalStack(folder=home, elasticsearch_port=port, elasticsearch_heap_mib=512, short_lived=True)
        (service,) = plan.services(stack, [ELASTICSEARCH], lambda _: None)
        service.prepare()
        (settings,) = home.glob(f"{ELASTICSEARCH}-*/config/elasticsearch.yml")
        text = settings.read_text().replace("discovery.type: single-node\n", _NODE.format(hosts=hosts, names=names))
        text = text.replace("node.name: perflog", f"node.name: node-{number}")
        settings.write_text(text.replace("transport.port: 0", f"transport.port: {transport_port}"))
        members.append(Member(service))
    return members


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start the clusters; returns once they are whole and ends them afterwards."""
    made = Cluster(folder, _brokers(folder), _nodes(folder))
    members = [*made.brokers, *made.nodes]
    try:
        for member in members:
            member.start()
        made.wait_until_whole()
        yield made
    finally:
        for member in members:
            member.end()
