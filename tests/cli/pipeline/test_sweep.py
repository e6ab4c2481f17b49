"""`perflog sweep` is asked to stop: it ends in time, in one sentence."""

import signal

import pytest

from ingest.edge.local.plan import ELASTICSEARCH
from tests.support.front import front
from tests.support.frozen import frozen
from tests.support.log import Log
from tests.support.waiting import DEADLINE_S
from tests.support.world import World

pytestmark = pytest.mark.stack
UNFINISHED = "perflog: Stopped before the sweep was finished. The next sweep does the rest."


@pytest.mark.parametrize(("options", "code"), [(("--once",), 130), ((), 0)], ids=["once", "service"])
def test_a_sweep_that_waits_for_elasticsearch_ends_at_sigterm(
    world: World, options: tuple[str, ...], code: int
) -> None:
    """130 if it was to sweep once and could not; a service is meant to be stopped: 0. No traceback."""
    world.set_up()
    with front(world.stack.elasticsearch) as before:
        before.away = True
        config = world.folder / "front.toml"
        config.write_text(world.settings_text(before.address))
        with world.perflog_process("sweep", *options, config_file=config) as process:
            log = Log(process)
            log.until("Trying again")
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_S) == code

    assert "Traceback" not in log.whole()
    assert "SIGTERM: stopping" in log.whole()
    assert (UNFINISHED in log.whole()) == (code == 130)


def test_a_sweep_does_not_wait_for_a_frozen_node(world: World) -> None:
    """Its request would last for 600 s; `drain_s` is 1."""
    world.timeout_s, world.drain_s = 600.0, 1.0
    world.set_up()
    with frozen(world.stack, ELASTICSEARCH), world.perflog_process("sweep", "--once") as process:
        log = Log(process)
        log.until("Sweeping")
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 130

    assert log.whole().rstrip().endswith(UNFINISHED)
