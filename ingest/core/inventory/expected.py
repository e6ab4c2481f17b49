"""Tests that a mesh expects to arrive, and the result of reading a description of hosts and tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingest.core.inventory.host import LATENCY, THROUGHPUT, Host

MOST_WARNINGS = 100
MOST_TESTS = 1_000_000
ROLE_OF_TYPE: Mapping[str, str] = {
    "throughput": THROUGHPUT,
    "latency": LATENCY,
    "latencybg": LATENCY,
    "rtt": LATENCY,
}


@dataclass(frozen=True, slots=True)
class ExpectedTest:
    """A test from one address to another that should be repeated.

    Attributes:
        task: the name of the task in the template.
        type: the type of test: throughput, latencybg, rtt, trace …
        destination: None for a test of one host alone.
        every_s: how often it should arrive (s); None if the template does not say.
    """

    task: str
    type: str
    source: str
    destination: str | None
    every_s: float | None


@dataclass(slots=True)
class Description:
    """What a file says: hosts, expected tests, and what in it cannot be used (the first 100; `warned` counts all)."""

    hosts: list[Host] = field(default_factory=list)
    tests: list[ExpectedTest] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    warned: int = 0

    def warn(self, text: str) -> None:
        """Note something that cannot be used; equal notes are kept once."""
        self.warned += 1
        if len(self.warnings) < MOST_WARNINGS and text not in self.warnings:
            self.warnings.append(text)

    @property
    def roles(self) -> dict[str, set[str]]:
        """Address -> the roles that its expected tests give it."""
        roles: dict[str, set[str]] = {}
        for test in self.tests:
            role = ROLE_OF_TYPE.get(test.type)
            if role:
                for address in (test.source, test.destination):
                    if address:
                        roles.setdefault(address, set()).add(role)
        return roles
