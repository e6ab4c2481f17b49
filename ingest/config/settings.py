"""All settings of a facility, as frozen dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingest.core.model import ExitCode, Intake, Problem
from ingest.core.runs.template import Declared

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kafka:
    """Addresses and credentials for the brokers; `instance` makes the worker a static member of the group.

    `replication_factor` and `min_insync_replicas` are those of topics that `setup` makes; None = by the cluster's size.
    """

    bootstrap: tuple[str, ...] = ("127.0.0.1:19092",)
    group: str = "perflog"
    instance: str | None = None
    protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    compression: str = "gzip"
    replication_factor: int | None = None
    min_insync_replicas: int | None = None
    session_timeout_s: float = 45.0
    heartbeat_s: float = 3.0
    max_poll_interval_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Elasticsearch:
    """Address and credentials for the cluster, and the index settings that `setup` writes into templates."""

    url: tuple[str, ...] = ("http://127.0.0.1:19200",)
    api_key: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_certs: str | None = None
    timeout_s: float = 60.0
    shards: int = 1
    replicas: str = "0-1"
    refresh_interval: str = "5s"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Sizes, timeouts and retry delays of `ship` and `run`; sizes are in bytes, times in seconds."""

    bulk_bytes: int = 5 * MIB
    bulk_documents: int = 5000
    flush_s: float = 1.0
    connections: int = 2
    commit_s: float = 1.0
    drain_s: float = 10.0
    stop_rejects_in_a_row: int = 1000
    stop_rejects_share: float = 0.5
    stop_window_records: int = 10_000
    max_message_bytes: int = 5 * MIB
    retry_first_s: float = 0.2
    retry_most_s: float = 30.0
    dead_letter_topic: str = "perf.deadletter.v1"
    derive: bool = True
    sweep_s: float = 60.0
    gap_after_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Workflow:
    """The pairs of sites between which a workflow moves data, and what the settings declare of its stages."""

    pairs: tuple[tuple[str, str], ...] = ()
    declared: Declared = field(default_factory=Declared)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a facility; `sites` maps a host to its site."""

    path: Path
    grammars: Path
    kafka: Kafka
    elasticsearch: Elasticsearch
    delivery: Delivery
    intakes: Mapping[str, Intake]
    sites: Mapping[str, str]
    workflows: Mapping[str, Workflow]

    def workflow(self, name: str | None) -> Workflow:
        """Return the workflow of that name, an empty one if the settings say nothing of it."""
        return self.workflows.get(name or "", Workflow())

    def intake(self, name: str) -> Intake:
        """Return the intake of that name; the `Problem` (64) lists those that exist."""
        if name not in self.intakes:
            raise Problem(
                f"There is no intake `{name}` in {self.path}.",
                f"Declared are: {', '.join(self.intakes) or 'none'}.",
                ExitCode.USAGE,
            )
        return self.intakes[name]
