"""What tests share: one real broker and one real node for the whole session, on free ports, in a folder of its own."""

import socket
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import settings

from ingest.edge.local.stack import LocalStack, Running, down, up
from tests.support import amount

SHOWN_FROM_S, FILES_SHOWN = 60, 30
PROPERTY_EXAMPLES = 240  # of a property that says no number
pytest_plugins = ("tests.support.worlds",)
# So that what they assert is told with its values.
pytest.register_assert_rewrite("tests.support.ledger_checks", "tests.faults.oracle", "tests.faults.worker_faults")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much is played."""
    help_text = (
        "only what CI skips or plays smaller: 200,000 lines a fault, real time-outs, properties four times as often"
    )
    parser.addoption("--system", action="store_true", help=help_text)


def pytest_configure(config: pytest.Config) -> None:
    """How much is played, and the marker of what only --system plays."""
    amount.system = config.getoption("system")
    # Without `deadline=None` Hypothesis fails an example that takes 200 ms: an assertion about the machine.
    settings.register_profile("perflog", deadline=None, max_examples=amount.examples(PROPERTY_EXAMPLES))
    settings.load_profile("perflog")
    config.addinivalue_line("markers", "system: takes minutes; only with --system")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """CI skips what is marked `system` and says so; --system plays that and what it makes larger, and nothing else."""
    if not config.getoption("system"):
        for item in items:
            if item.get_closest_marker("system"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: --system"))
        return
    chosen = [item for item in items if item.get_closest_marker("system") or _is_larger(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen


def _is_larger(item: pytest.Item) -> bool:
    """Whether --system plays more of a test: a fault in its larger size, or more examples of a property."""
    is_property = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    has_examples = getattr(getattr(item, "module", None), "examples", None) is amount.examples
    return is_property or has_examples or "size" in getattr(item, "fixturenames", ())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Seconds by file, the slowest first: what the next test may cost is decided by them."""
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.location[0]] += report.duration  # type: ignore[assignment]  # seconds are no integers
    if sum(seconds.values()) > SHOWN_FROM_S:
        terminalreporter.section("seconds by file")
        for path, spent_s in seconds.most_common(FILES_SHOWN):
            terminalreporter.write_line(f"{spent_s:8.1f}  {path}")


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Kafka and Elasticsearch, started once; the jars come from the cache that every stack shares."""
    local_stack = LocalStack(
        folder=tmp_path_factory.mktemp("stack"),
        kafka_port=free_port(),
        elasticsearch_port=free_port(),
        kafka_heap_mib=256,
        elasticsearch_heap_mib=512,
        short_lived=True,
    )
    try:
        yield up(local_stack)
    finally:
        down(local_stack, purge=True)
