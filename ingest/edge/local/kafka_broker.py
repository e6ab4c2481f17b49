"""One Kafka broker in KRaft mode, its controller in the same process: writes its folder, formats and probes it."""

import base64
import socket
import struct
import subprocess
import uuid
from pathlib import Path

from ingest.core.model import ExitCode, Problem
from ingest.edge.local import jars
from ingest.edge.local.java import Java
from ingest.edge.local.service import HOST, LIGHT_JVM, LOG4J, SHORT_LIVED_JVM, Service, sentence, telling_line

NAME = "kafka"
_ANSWER_TIMEOUT_S = 2
# Metadata request (3), version 1, correlation 0, client `perflog`, no topics: only the brokers are wanted.
_METADATA_REQUEST = struct.pack(">hhih7si", 3, 1, 0, 7, b"perflog", 0)

# Replication factors of 1, since there is one broker; only `perflog setup` creates topics. Session timeouts may be
# short, so that a dead worker is noticed sooner than after Kafka's minimum of 6 s. The broker's own session is short
# too: a killed broker can register again only once its old session has expired.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=2
message.max.bytes=8388608
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""

# Kafka logs all its settings six times at each start.
_QUIET = """\
logger.config.name = org.apache.kafka.common.config.AbstractConfig
logger.config.level = warn
"""


def service(folder: Path, libs: Path, java: Java, ports: tuple[int, int], jvm: tuple[str, ...]) -> Service:
    """Describe the broker of the stack in `folder`; `ports` are (clients', controller's), `jvm` Java options."""
    home = folder / NAME
    properties, log4j = home / "server.properties", home / "log4j2.properties"
    run = (
        str(java.executable),
        "-cp",
        f"{libs}/*",
        f"-Dlog4j2.configurationFile={log4j.as_uri()}",
        f"-Djava.io.tmpdir={home / 'tmp'}",
    )
    text = _PROPERTIES.format(host=HOST, port=ports[0], controller_port=ports[1], data=home / "data")

    def prepare() -> None:
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        properties.write_text(text)
        log4j.write_text(LOG4J + _QUIET)
        if not (home / "data" / "meta.properties").exists():
            _format((*run, *LIGHT_JVM, *SHORT_LIVED_JVM), properties)

    return Service(
        name=NAME,
        version=jars.version(libs, "kafka_2.13"),
        port=ports[0],
        address=f"{HOST}:{ports[0]}",
        log=folder / "logs" / f"{NAME}.log",
        prepare=prepare,
        command=(*run, *jvm, "kafka.Kafka", str(properties)),
    )


def answers(port: int) -> bool:
    """Whether the broker answers a metadata request and lists itself as a live broker.

    The request is sent by hand: kafka-python's clients leak a socket and a thread each time they meet a starting
    broker.
    """
    try:
        with socket.create_connection((HOST, port), timeout=_ANSWER_TIMEOUT_S) as connection:
            connection.sendall(struct.pack(">i", len(_METADATA_REQUEST)) + _METADATA_REQUEST)
            with connection.makefile("rb") as stream:
                answer = stream.read(*struct.unpack(">i", stream.read(4)))
        return port in _broker_ports(answer)
    except (OSError, struct.error):
        return False


def _broker_ports(answer: bytes) -> list[int]:
    """Return the brokers' ports in a metadata response of version 1; `struct.error` if it is truncated."""
    (count,), position, ports = struct.unpack_from(">i", answer, 4), 8, []
    for _ in range(count):
        (host_bytes,) = struct.unpack_from(">h", answer, position + 4)
        position += 6 + host_bytes
        port, rack_bytes = struct.unpack_from(">ih", answer, position)
        ports.append(port)
        position += 6 + max(rack_bytes, 0)
    return ports


def _format(run: tuple[str, ...], properties: Path) -> None:
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # One word with `=`, because an id may begin with a dash.
    command = (
        *run,
        "kafka.tools.StorageTool",
        "format",
        f"--cluster-id={cluster_id}",
        f"--config={properties}",
        "--ignore-formatted",
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = telling_line(f"{done.stdout}\n{done.stderr}") or f"exit code {done.returncode}"
        raise Problem(
            f"Kafka cannot format its data folder: {sentence(reason)}",
            "If it holds data of an older stack, `perflog stack down --purge` removes it.",
            ExitCode.IO_ERROR,
        )
