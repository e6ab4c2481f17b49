"""The table of faults: each with its function, its lines, its lanes and its least number of hits."""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from ingest.synthetic.workload.generator import Shares
from tests.faults import answer_faults as answers
from tests.faults import content_faults as content
from tests.faults import server_faults as servers
from tests.faults import worker_faults as workers
from tests.faults.scene import Scene

MIXED = Shares(
    parallel=0.2, retried=0.1, late=0.05, with_ends=0.2,
    torn=0.005, glued=0.003, refused=0.005, poisoned=0.002, foreign=0.01, repeated=0.01,
)  # fmt: skip
POISONED = Shares(poisoned=0.1)
PLAIN = Shares()


@dataclass(frozen=True)
class Fault:
    """One row: `run` does it and tells how often it hit, which must be `least_hits` at least.

    Attributes:
        held_back: share of the lines that the fault puts into the topic itself.
        settings: settings of the world that differ from the size's.
        laned: whether it is done to several groups beside one another, each with its part of the lines.
        only: the size in which it is done, "" in both.
    """

    name: str
    run: Callable[[Scene], int]
    least_hits: int = 1
    shares: Shares = MIXED
    held_back: float = 0.0
    settings: dict[str, float] = field(default_factory=dict)
    laned: bool = False
    only: str = ""


FAULTS = (
    Fault("workers killed at random", workers.killed_at_random, 35, settings={"bulk_documents": 50}, laned=True),
    Fault("workers killed around answer and ledger", workers.killed_aimed, 4),
    Fault("worker stopped longer than its session", workers.stopped, held_back=0.2),
    Fault("workers asked to leave", workers.terminated, 3, settings={"bulk_documents": 200}),
    Fault("workers coming and going", workers.coming_and_going, 6, settings={"bulk_documents": 100}),
    Fault("workers killed under one roof", workers.killed_under_one_roof, 2),
    Fault("broker stopped", servers.broker_away(signal.SIGTERM)),
    Fault("broker killed", servers.broker_away(signal.SIGKILL)),
    Fault("Elasticsearch stopped", servers.node_away(signal.SIGTERM)),
    Fault("Elasticsearch killed", servers.node_away(signal.SIGKILL)),
    Fault("templates gone", servers.templates_gone),
    Fault("answers too late", answers.answered(3, answers.late), 3, settings={"timeout_s": 1.0}, only="quick"),
    Fault("answers too late (60 s)", answers.answered(1, answers.late), 1, only="system"),
    Fault("answers cut in the middle", answers.answered(8, answers.cut), 8),
    Fault("429 for half the items", answers.answered(12, answers.half_busy), 12),
    Fault("503 for all", answers.answered(12, answers.unavailable), 12),
    Fault("413", answers.answered(12, answers.too_large), 12),
    Fault("write block", servers.blocked("index.blocks.write"), 3),
    Fault("shard limit", servers.shard_limit, 3),
    Fault("disk full (its block)", servers.blocked("index.blocks.read_only_allow_delete"), 3, only="quick"),
    Fault("disk full (watermark)", servers.disk_full, 3, only="system"),
    Fault("every tenth is poison", content.nothing, 1000, shares=POISONED),
    Fault("messages of 5 MB", content.huge_messages, 3),
    Fault("one file, two forwarders", content.shipped_twice, 1000, shares=PLAIN, held_back=1.0),
    Fault("clock set back an hour", content.clock_set_back, 1000),
    Fault("memory while Elasticsearch is away", content.memory, 3, held_back=1.0),
    Fault("backlog after a fault", content.backlog, 6, shares=PLAIN, held_back=1.0),
)
