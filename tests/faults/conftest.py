"""The suite's own broker and node, its size, its lines, and the table at the end."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest
from rich.console import Console
from rich.table import Table

from ingest.edge.local.stack import LocalStack, down, up
from ingest.synthetic.workload.generator import Shares, Workload, messages
from tests.conftest import free_port
from tests.faults.cargo import Cargo
from tests.faults.servers import Servers
from tests.faults.sizes import QUICK, SYSTEM, Size
from tests.faults.table import FAULTS

SPAN_S = 70 * 86_400.0  # several months, so that indices come up all the time


@dataclass(frozen=True)
class Row:
    """The result of a fault, for the table; it travels with the test's report, perhaps from another process."""

    fault: str
    lines: int
    documents: int
    dead_letters: int
    duplicates: int
    seconds: float
    hits: str


ROW = "fault"


@cache
def cargo(lines: int, shares: Shares, seed: int = 1) -> Cargo:
    """Lines of known truth, made once."""
    return Cargo(tuple(messages(Workload(seed=seed, lines=lines, shares=shares, span_s=SPAN_S))))


@pytest.fixture(scope="session")
def size(pytestconfig: pytest.Config) -> Size:
    """The size that --system chooses."""
    return SYSTEM if pytestconfig.getoption("system") else QUICK


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, size: Size) -> Iterator[Servers]:
    """A stack that only this suite uses, since it is ended, killed and blocked."""
    stack = LocalStack(
        folder=tmp_path_factory.mktemp("hurt"),
        kafka_port=free_port(),
        elasticsearch_port=free_port(),
        kafka_heap_mib=512,
        elasticsearch_heap_mib=768 if size is QUICK else 1024,
        short_lived=size is QUICK,
    )
    try:
        yield Servers(stack, up(stack))
    finally:
        down(stack, purge=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of faults."""
    reports = [report for group in terminalreporter.stats.values() for report in group]
    calls = [report for report in reports if getattr(report, "when", "") == "call"]
    rows = [Row(**fields) for report in calls for name, fields in report.user_properties if name == ROW]
    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("fault", "lines", "documents", "dead letters", "duplicates", "seconds", "hits"):
        table.add_column(column, justify="left" if column == "fault" else "right")
    order = [fault.name for fault in FAULTS]
    for row in sorted(rows, key=lambda row: order.index(row.fault)):
        numbers = (f"{number:,}" for number in (row.lines, row.documents, row.dead_letters, row.duplicates))
        table.add_row(row.fault, *numbers, f"{row.seconds:.1f}", row.hits)
    terminalreporter.ensure_newline()
    Console(file=terminalreporter._tw._file, width=120).print(table)
