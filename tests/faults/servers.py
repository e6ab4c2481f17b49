"""The suite's own broker and node, which may be ended, killed and started again."""

import os
import signal
from dataclasses import dataclass

import requests

from ingest.edge.local import processes, state
from ingest.edge.local.plan import ELASTICSEARCH, KAFKA, LocalStack
from ingest.edge.local.stack import Running, up

__all__ = ["ELASTICSEARCH", "KAFKA", "Servers"]
ANSWER_TIMEOUT_S = 30


@dataclass
class Servers:
    """A running stack, and the plan that it was started from."""

    stack: LocalStack
    running: Running

    def down(self, name: str, how: signal.Signals) -> None:
        """End a server by a signal; returns when it is gone."""
        process = state.read(self.stack.folder_path)[name].process
        if how is signal.SIGKILL:
            os.kill(process.pid, how)
        processes.end([process])
        assert not processes.alive(process), f"{name} is still there"

    def start(self, name: str) -> None:
        """Start it again; returns when it answers."""
        assert name in up(self.stack).started

    def mended(self) -> None:
        """Undo the changes that a failed fault left behind."""
        up(self.stack)
        settings = f"{self.running.elasticsearch}/_cluster/settings"
        answer = requests.get(settings, params={"flat_settings": "true"}, timeout=ANSWER_TIMEOUT_S)
        persistent = answer.json()["persistent"]
        if persistent:
            reset = {"persistent": dict.fromkeys(persistent)}
            requests.put(settings, json=reset, timeout=ANSWER_TIMEOUT_S).raise_for_status()
