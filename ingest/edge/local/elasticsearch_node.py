"""One Elasticsearch node from the server's core jars, started by deploy/local/Launcher.java.

Writes the node's folder and queries the node over HTTP, nothing else.
What the core jars lack compared with a full distribution is described in the design, section "The local stack".
"""

import json
import shutil
import zipfile
from pathlib import Path

import requests

from ingest.edge.local import jars
from ingest.edge.local.java import Java
from ingest.edge.local.service import HOST, LOG4J, Service

NAME = "elasticsearch"
_TRANSPORT = "transport-netty4"
_ANSWER_TIMEOUT_S = 2

# The real-memory breaker would count garbage that the serial collector has not freed yet, and answer 429 for it.
# Only Kibana's own indices may be auto-created: a perf-* index without its template would get guessed mappings.
_SETTINGS = """\
cluster.name: perflog-local
node.name: perflog
discovery.type: single-node
network.host: {host}
http.port: {port}
transport.port: 0
path.data: {data}
path.logs: {logs}
cluster.routing.allocation.disk.threshold_enabled: false
indices.breaker.total.use_real_memory: false
action.auto_create_index: ".kibana*,.tasks*,.management*,.reporting*,-*"
"""


def service(folder: Path, libs: Path, launcher: Path, java: Java, port: int, jvm: tuple[str, ...]) -> Service:
    """Describe the node of the stack in `folder`; each major version has its own data, as none reads a newer one's."""
    version = jars.version(libs, NAME)
    home = folder / f"{NAME}-{version.split('.')[0]}"

    def prepare() -> None:
        for name in ("config", "data", "logs", "tmp", "plugins"):
            (home / name).mkdir(parents=True, exist_ok=True)
        # JSON strings are valid YAML, so the folder's name may contain any character.
        data, logs = json.dumps(str(home / "data")), json.dumps(str(home / "logs"))
        settings = _SETTINGS.format(host=HOST, port=port, data=data, logs=logs)
        (home / "config" / "elasticsearch.yml").write_text(settings)
        (home / "config" / "log4j2.properties").write_text(LOG4J)
        _install_transport(libs, home / "modules" / _TRANSPORT)

    return Service(
        name=NAME,
        version=version,
        port=port,
        address=f"http://{HOST}:{port}",
        log=folder / "logs" / f"{NAME}.log",
        prepare=prepare,
        command=_command(java, home, libs, launcher, jvm),
    )


def answers(port: int) -> bool:
    """Whether the node has a working cluster state; checks its health, because `GET /` is 405 on core jars."""
    try:
        answer = requests.get(f"http://{HOST}:{port}/_cluster/health", timeout=_ANSWER_TIMEOUT_S)
        return answer.status_code == requests.codes.ok and answer.json()["status"] in ("green", "yellow")
    except (requests.RequestException, ValueError, KeyError):
        return False


def _command(java: Java, home: Path, libs: Path, launcher: Path, jvm: tuple[str, ...]) -> tuple[str, ...]:
    core = [str(jar) for jar in sorted(libs.glob("*.jar")) if not _is_transport(jar)]
    modules = ["jdk.net", "jdk.management.agent", "ALL-MODULE-PATH"]
    if "jdk.incubator.vector" in java.modules:
        modules.append("jdk.incubator.vector")
    return (
        str(java.executable),
        *jvm,
        "-Dlog4j2.disable.jmx=true",
        # Otherwise log4j's own shutdown hook ends the log before the node has logged that it closed.
        "-Dlog4j.shutdownHookEnabled=false",
        f"-Des.path.home={home}",
        f"-Djava.io.tmpdir={home / 'tmp'}",
        "-p",
        ":".join(core),
        f"--add-modules={','.join(modules)}",
        "-cp",
        str(launcher),
        "Launcher",
        str(home),
        str(home / "config"),
    )


def _install_transport(libs: Path, target: Path) -> None:
    """Install the HTTP transport, a module with its own folder; its descriptor is inside its jar."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for jar in filter(_is_transport, libs.glob("*.jar")):
        shutil.copy(jar, target)
    with zipfile.ZipFile(next(libs.glob(f"{_TRANSPORT}-*.jar"))) as archive:
        for name in archive.namelist():
            if name.startswith(f"META-INF/es-plugins/{_TRANSPORT}/") and not name.endswith("/"):
                (target / Path(name).name).write_bytes(archive.read(name))


def _is_transport(jar: Path) -> bool:
    return jar.name.startswith(("netty-", _TRANSPORT))
