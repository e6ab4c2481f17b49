"""`perflog ship` is asked to stop while its broker does not answer: one sentence, how much arrived, exit code 130."""

import re
import signal

import pytest

from ingest.edge.local.plan import KAFKA
from tests.support.frozen import frozen
from tests.support.log import Log
from tests.support.waiting import DEADLINE_S, eventually
from tests.support.world import World

pytestmark = pytest.mark.stack
STOPPED = re.compile(r"perflog: Stopped after ([0-9]+) messages were acknowledged\. Ship the same files again: .*\.\n")


def test_ship_ends_at_sigterm_although_its_broker_is_frozen(world: World, sample_lines: list[bytes]) -> None:
    """No traceback; the messages that were acknowledged are in the topic."""
    world.set_up(partitions=1)
    path = world.written("a.log", sample_lines * 20_000)
    with world.perflog_process("ship", str(path), "--intake", "lines", "--no-manifest") as process:
        log = Log(process)
        eventually(lambda: sum(world.ends().values()))
        assert process.poll() is None, "it must be asked in the middle"
        with frozen(world.stack, KAFKA):
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_S) == 130

    stopped = STOPPED.fullmatch(log.whole())
    assert stopped, log.text
    assert int(stopped[1]) <= sum(world.ends().values())
