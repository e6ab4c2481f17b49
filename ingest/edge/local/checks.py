"""Checks the prerequisites before anything starts: ports, memory, the folder's name. Each error names its remedy.

Opens sockets of this machine (bound and closed at once) and reads /proc/meminfo.
"""

import errno
import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from ingest.core.model import ExitCode, Problem
from ingest.edge.local.processes import memory_available_bytes
from ingest.edge.local.service import HOST

MIB = 1024 * 1024
# Memory of a JVM beside its heap (metaspace, threads, buffers), as measured on both servers.
BESIDE_HEAP_MIB = 256


def linux() -> None:
    """Require Linux, because processes are identified by /proc."""
    if not Path("/proc/self/stat").exists():
        raise Problem(
            "The local stack needs Linux: there is no /proc here.",
            "Run it in a Linux machine or container.",
            ExitCode.UNAVAILABLE,
        )


def folder_usable(folder: Path) -> None:
    """Refuse a folder name with `:` or `,`: Java's class paths and Kafka's list of data folders cannot quote them."""
    if {":", ","} & set(str(folder)):
        raise Problem(
            f"The stack's folder {folder} holds a `:` or `,`, which Java's paths cannot.",
            "Choose another with --folder.",
            ExitCode.USAGE,
        )


def ports_free(ports: Mapping[str, int]) -> None:
    """Check the ports, by option name; `Problem` (69) for the first port in use, 64 if two are the same."""
    for port, count in Counter(ports.values()).items():
        if count > 1:
            options = " and ".join(option for option in ports if ports[option] == port)
            raise Problem(f"{options} name the same port {port}.", "Give each its own.", ExitCode.USAGE)
    for option, port in ports.items():
        _bind(option, port)


def free_port() -> int:
    """Return a port that no process listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def memory_suffices(heaps_mib: Iterable[int]) -> None:
    """Check that JVMs with these heaps fit into memory; the `Problem` (69) names both figures."""
    needed = sum(heap_mib + BESIDE_HEAP_MIB for heap_mib in heaps_mib)
    available = memory_available_bytes() // MIB
    if available < needed:
        raise Problem(
            f"Too little memory: the stack needs {needed} MiB, {available} MiB are available.",
            "End other programs, or give less with --elasticsearch-heap-mib and --kafka-heap-mib.",
            ExitCode.UNAVAILABLE,
        )


def _bind(option: str, port: int) -> None:
    with socket.socket() as probe:
        # Like Java's servers: connections that were closed a moment ago do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "is taken by another program" if taken else f"cannot be used: {error.strerror}"
            look = f", or end that program (`ss -ltnp 'sport = :{port}'` shows it)" if taken else ""
            raise Problem(
                f"Port {port} on {HOST} {why}.", f"Choose another with {option}{look}.", ExitCode.UNAVAILABLE
            ) from error
