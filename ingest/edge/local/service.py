"""Describes a server of the stack, and holds what both servers share. May read a server's log."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingest.edge.local.processes import Process

HOST = "127.0.0.1"
# Measured on two cores: as fast as the default collector at heaps of 1 GiB, with a third less memory.
# An exhausted heap ends the process, which `status` reports, instead of leaving a server that only half works.
LIGHT_JVM = ("-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError")
# Half the work at the start, but slower afterwards.
SHORT_LIVED_JVM = ("-XX:TieredStopAtLevel=1",)

LOG4J = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
_TAIL_BYTES = 64 * 1024
# Once Elasticsearch has begun its log, it prefixes lines that a server wrote to its standard error.
_HEAD = r"(?:\[[^\]]*\])*\[stderr\] "
_TELLING = (
    re.compile(rf"^(?:{_HEAD})?Caused by: "),
    re.compile(r"ERROR|FATAL|Exception|Error:|OutOfMemory"),
    re.compile(r"\S"),
)
_STACK_FRAME = re.compile(rf"^(?:{_HEAD})?\s+(at |\.\.\. )|^WARNING")


@dataclass(frozen=True, slots=True)
class Service:
    """A server to start: `prepare` writes its configuration and data folder, then `command` runs it."""

    name: str
    version: str
    port: int
    address: str
    log: Path
    prepare: Callable[[], None]
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Started:
    """A server that `up` started, as stored in the stack's state file."""

    name: str
    version: str
    port: int
    address: str
    log: Path
    process: Process


def last_telling_line(log: Path) -> str:
    """Return the line of a server's log that most likely says why it ended, or ""."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return telling_line(text)


def telling_line(text: str) -> str:
    """Return the line of a program's output that most likely says why it failed, or ""."""
    lines = [line.strip() for line in text.splitlines() if not _STACK_FRAME.match(line)]
    for telling in _TELLING:
        matching = [line for line in lines if telling.search(line)]
        if matching:
            return matching[-1]
    return ""


def sentence(text: str) -> str:
    """Add a full stop, unless the text ends like a sentence."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
