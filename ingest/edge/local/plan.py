"""Plans which servers to start for a requested stack: which Java, version, ports and jars."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ingest.config.paths import data_folder, home, java_home
from ingest.core.model import ExitCode, Problem
from ingest.edge.local import checks, elasticsearch_node, jars, java, kafka_broker
from ingest.edge.local.service import LIGHT_JVM, SHORT_LIVED_JVM, Service, Started

KAFKA = kafka_broker.NAME
ELASTICSEARCH = elasticsearch_node.NAME
# Elasticsearch first: it starts while Kafka's data folder is still being formatted.
SERVICES = (ELASTICSEARCH, KAFKA)
KAFKA_PORT = 19092
ELASTICSEARCH_PORT = 19200


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A requested stack.

    Attributes:
        folder: configuration, data, logs and state; None = `stack` in perflog's home.
        kafka_port: Kafka's port; None = as before, else 19092.
        elasticsearch_port: Elasticsearch's port; None = as before, else 19200.
        elasticsearch_major: 8 or 9; None = as before, else 9 if a Java for it is found, else 8.
        controller_port: port of Kafka's controller; None = any free port.
        kafka_heap_mib: maximum heap of Kafka.
        elasticsearch_heap_mib: heap of Elasticsearch.
        java_home: a Java to consider besides those on the PATH and in `java_folders`; None = JAVA_HOME.
        java_folders: where distributions install Javas.
        ready_timeout_s: how long both servers may take to answer.
        short_lived: for tests: half the work at the start, less throughput afterwards.
    """

    folder: Path | None = None
    kafka_port: int | None = None
    elasticsearch_port: int | None = None
    elasticsearch_major: int | None = None
    controller_port: int | None = None
    kafka_heap_mib: int = 512
    elasticsearch_heap_mib: int = 1024
    java_home: Path | None = None
    java_folders: tuple[Path, ...] = java.DISTRIBUTION_FOLDERS
    ready_timeout_s: float = 120.0
    short_lived: bool = False

    @property
    def folder_path(self) -> Path:
        """The stack's absolute folder, chosen or default."""
        return (self.folder or home() / "stack").absolute()


def as_before(stack: LocalStack, recorded: Mapping[str, Started]) -> LocalStack:
    """Fill unset options from the servers that `up` last started there, whether or not they still run."""
    kafka, elasticsearch = recorded.get(KAFKA), recorded.get(ELASTICSEARCH)
    return replace(
        stack,
        kafka_port=stack.kafka_port or (kafka.port if kafka else KAFKA_PORT),
        elasticsearch_port=stack.elasticsearch_port or (elasticsearch.port if elasticsearch else ELASTICSEARCH_PORT),
        elasticsearch_major=stack.elasticsearch_major or (_major(elasticsearch) if elasticsearch else None),
    )


def refuse_contradiction(stack: LocalStack, running: Mapping[str, Started]) -> None:
    """Raise `Problem` (64) if a running server differs from the stack that `as_before` returned."""
    ports = {KAFKA: stack.kafka_port, ELASTICSEARCH: stack.elasticsearch_port}
    for name, server in running.items():
        other_version = name == ELASTICSEARCH and stack.elasticsearch_major != _major(server)
        if ports[name] != server.port or other_version:
            raise Problem(
                f"The stack in {stack.folder_path} already runs {name} {server.version} on port {server.port}.",
                "End it first (`perflog stack down`), or start a second stack with another --folder.",
                ExitCode.USAGE,
            )


def services(stack: LocalStack, missing: Collection[str], tell: Callable[[str], None]) -> tuple[Service, ...]:
    """Return the servers to start, with prerequisites checked and jars fetched; `Problem` if one is missing."""
    if not missing:
        return ()
    checks.linux()
    checks.folder_usable(stack.folder_path)
    ports = _checked_ports(stack, missing)
    heaps = {KAFKA: stack.kafka_heap_mib, ELASTICSEARCH: stack.elasticsearch_heap_mib}
    checks.memory_suffices(heaps[name] for name in missing)
    javas = java.find_all(stack.java_home or java_home(), stack.java_folders)
    make = {KAFKA: _kafka, ELASTICSEARCH: _elasticsearch}
    return tuple(make[name](stack, javas, ports, tell) for name in SERVICES if name in missing)


def _checked_ports(stack: LocalStack, missing: Collection[str]) -> dict[str, int]:
    ports = {}
    if KAFKA in missing:
        ports["--kafka-port"] = stack.kafka_port or KAFKA_PORT
        ports["--controller-port"] = stack.controller_port or checks.free_port()
    if ELASTICSEARCH in missing:
        ports["--elasticsearch-port"] = stack.elasticsearch_port or ELASTICSEARCH_PORT
    checks.ports_free(ports)
    return ports


def _kafka(
    stack: LocalStack, javas: tuple[java.Java, ...], ports: Mapping[str, int], tell: Callable[[str], None]
) -> Service:
    runtime = java.newest(javas, java.OLDEST, "Kafka")
    libs = jars.fetched(_cache(), _recipe() / "pom.xml", KAFKA, runtime, tell)
    pair = (ports["--kafka-port"], ports["--controller-port"])
    jvm = _jvm(stack, min(stack.kafka_heap_mib, 256), stack.kafka_heap_mib)
    return kafka_broker.service(stack.folder_path, libs, runtime, pair, jvm)


def _elasticsearch(
    stack: LocalStack, javas: tuple[java.Java, ...], ports: Mapping[str, int], tell: Callable[[str], None]
) -> Service:
    modern = bool(javas) and javas[0].major >= java.OLDEST_FOR_ELASTICSEARCH_9
    major = stack.elasticsearch_major or (9 if modern else 8)
    oldest = java.OLDEST_FOR_ELASTICSEARCH_9 if major == 9 else java.OLDEST
    runtime = java.newest(javas, oldest, f"Elasticsearch {major}")
    launcher = jars.compiled(_cache(), _recipe() / "Launcher.java", javas)
    libs = jars.fetched(_cache(), _recipe() / "pom.xml", f"{ELASTICSEARCH}-{major}", runtime, tell)
    jvm = _jvm(stack, stack.elasticsearch_heap_mib, stack.elasticsearch_heap_mib)
    return elasticsearch_node.service(stack.folder_path, libs, launcher, runtime, ports["--elasticsearch-port"], jvm)


def _jvm(stack: LocalStack, least_mib: int, most_mib: int) -> tuple[str, ...]:
    lived = SHORT_LIVED_JVM if stack.short_lived else ()
    return (*LIGHT_JVM, *lived, f"-Xms{least_mib}m", f"-Xmx{most_mib}m")


def _major(server: Started) -> int:
    return int(server.version.split(".")[0])


def _cache() -> Path:
    return home().absolute() / "jars"


def _recipe() -> Path:
    return data_folder("deploy/local")
