"""One facility on the real servers, as tests of delivery see it: from inside, as a person, and from outside."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, MemberToRemove
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError

from ingest.config.load import load_settings
from ingest.config.settings import Settings
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import Registry, load_registry
from ingest.core.fields import without_provenance
from ingest.core.model import Message, Provenance
from ingest.edge.elasticsearch.client import once_started
from ingest.edge.elasticsearch.index_templates import open_templates
from ingest.edge.local.stack import Running
from ingest.pipeline.admin.setup import set_up
from ingest.pipeline.intake.ship import ShipReport, ship, shipment
from ingest.pipeline.worker.bootstrap import run_worker
from ingest.pipeline.worker.report import RunReport
from tests.support.waiting import DEADLINE_S

ROOT = Path(__file__).parents[2]

SETTINGS = """
[kafka]
bootstrap = "{kafka}"
group = "{facility}"
heartbeat_s = {heartbeat_s}
session_timeout_s = {session_timeout_s}
max_poll_interval_s = {max_poll_interval_s}
[elasticsearch]
url = "{elasticsearch}"
timeout_s = {timeout_s}
refresh_interval = "1s"
[delivery]
bulk_documents = {bulk_documents}
flush_s = 0.1
commit_s = 0.01
drain_s = {drain_s}
retry_first_s = 0.05
retry_most_s = {retry_most_s}
dead_letter_topic = "perf.{facility}.deadletter.v1"
derive = {derive}
sweep_s = {sweep_s}
gap_after_s = {gap_after_s}
[[intake]]
name = "lines"
topic = "perf.{facility}.lines.v1"
facility = "{facility}"
sources = [{sources}]
workflow = "als-tomography"
"""

# The errors of a cluster that has never had a group.
COORDINATOR_STARTING = (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError)
shipped = lru_cache(load_registry)
Documents = dict[tuple[str, str], dict[str, Any]]
LEDGER_NUMBERS = ("records", "rejected", "corrected", "stored", "duplicate", "ignored", "documents")


@dataclass
class World:
    """One facility on real servers, seen from inside (setup, ship, work) and from outside (documents, offsets)."""

    stack: Running
    folder: Path
    facility: str
    bulk_documents: int = 500
    max_poll_interval_s: float = 300.0
    derive: bool = True
    sweep_s: float = 60.0
    gap_after_s: float = 300.0
    session_timeout_s: float = 45.0
    heartbeat_s: float = 0.3
    timeout_s: float = 60.0
    retry_most_s: float = 0.2
    drain_s: float = 10.0
    sources: tuple[str, ...] = ("als_perf",)

    @cached_property
    def settings_file(self) -> Path:
        """The settings as a file, for workers that are processes of their own."""
        path = self.folder / "perflog.toml"
        path.write_text(self.settings_text(self.stack.elasticsearch))
        return path

    def settings_text(self, elasticsearch: str) -> str:
        """The settings with another address of Elasticsearch, e.g. that of a front that injects faults."""
        return SETTINGS.format(
            kafka=self.stack.kafka,
            elasticsearch=elasticsearch,
            facility=self.facility,
            bulk_documents=self.bulk_documents,
            max_poll_interval_s=self.max_poll_interval_s,
            derive=str(self.derive).lower(),
            sweep_s=self.sweep_s,
            gap_after_s=self.gap_after_s,
            session_timeout_s=self.session_timeout_s,
            heartbeat_s=self.heartbeat_s,
            timeout_s=self.timeout_s,
            retry_most_s=self.retry_most_s,
            drain_s=self.drain_s,
            sources=", ".join(f'"{name}"' for name in self.sources),
        )

    @cached_property
    def settings(self) -> Settings:
        """The same, loaded."""
        return load_settings(self.settings_file)

    def through(self, elasticsearch: str) -> Settings:
        """The settings with another address of Elasticsearch, for a worker in this process."""
        return replace(self.settings, elasticsearch=replace(self.settings.elasticsearch, url=(elasticsearch,)))

    @cached_property
    def knowledge(self) -> Registry:
        """The shipped grammars."""
        return shipped(self.settings.grammars)

    @property
    def topic(self) -> str:
        """The topic of the only intake."""
        return self.settings.intake("lines").topic

    @cached_property
    def client(self) -> Elasticsearch:
        """A client of the node that no worker uses."""
        return Elasticsearch(self.stack.elasticsearch)

    def set_up(self, partitions: int = 2) -> None:
        """Topics and templates."""
        set_up(self.settings, self.knowledge.schema, partitions)

    def ship(self, *paths: Path, backfill: bool = True, manifest: bool = False, **chosen: Any) -> ShipReport:
        """Send files to the topic; without manifests, each line becomes one record and there are no others."""
        prepared = shipment(
            self.settings.intake("lines"),
            self.knowledge.sources,
            paths,
            "test",
            backfill=backfill,
            manifest=manifest,
            host="beamline",
            **chosen,
        )
        return ship(self.settings, prepared)

    def drain(self, registry: Registry | None = None, settings: Settings | None = None) -> RunReport:
        """Run one worker in this process until the topic is read to its end."""
        return run_worker(settings or self.settings, registry or self.knowledge, drain=True)

    def written(self, name: str, lines: Sequence[bytes]) -> Path:
        """Write a file of these lines."""
        path = self.folder / name
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    def perflog(self, *arguments: str, config_file: Path | None = None) -> subprocess.CompletedProcess[str]:
        """The command, as a person calls it."""
        with self.perflog_process(*arguments, config_file=config_file) as process:
            out, err = process.communicate(timeout=DEADLINE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @contextmanager
    def perflog_process(self, *arguments: str, config_file: Path | None = None) -> Iterator["subprocess.Popen[str]"]:
        """The command as a process that is gone afterwards."""
        command = [sys.executable, "-m", "ingest", "--config", str(config_file or self.settings_file), *arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    def make_old_index(self) -> str:
        """An index for the sample's marks from before `perf.stage.variant` was thought of."""
        schema = self.knowledge.schema
        mapping = schema.mappings("marks")
        del mapping["properties"]["perf"]["properties"]["stage"]["properties"]["variant"]
        index = f"perf-marks-{self.facility}-2016.02"
        self.client.indices.delete_index_template(name="perf-marks")
        self.client.indices.create(index=index, mappings=mapping)
        with open_templates(self.settings.elasticsearch) as templates:
            templates.put("marks", schema)
        return index

    # ---- seen from outside

    def documents(self, kind: str = "marks", fields: Sequence[str] | None = None) -> Documents:
        """Everything of a kind, by index and id; whole, or only these fields of it."""
        pattern = f"perf-{kind}-{self.facility}*"
        self.client.indices.refresh(index=pattern)
        hits = once_started(
            lambda: list(scan(self.client, index=pattern, size=10_000, _source_includes=fields)), DEADLINE_S
        )
        return {(hit["_index"], hit["_id"]): hit["_source"] for hit in hits}

    def facts(self) -> Documents:
        """The marks without the provenance of the first copy."""
        schema = self.knowledge.schema
        return {key: without_provenance(body, schema) for key, body in self.documents().items()}

    def expected(self, lines: Sequence[bytes], registry: Registry | None = None) -> Documents:
        """The documents that the core alone makes of these lines."""
        registry = registry or self.knowledge
        decoder = Decoder(self.settings.intake("lines"), registry.sources, registry.schema, self.settings.sites)
        made: Documents = {}
        for line in lines:
            outcomes = decoder.decode(Message(line, 1_790_000_000_000, Provenance(), backfill=True), 0)
            for document in outcomes.documents:
                made[document.index, document.id] = without_provenance(document.body, registry.schema)
        return made

    def ledger(self) -> list[dict[str, Any]]:
        """The ledger's entries, by partition and first offset."""
        entries = [body["perf"]["ledger"] for body in self.documents("ledger").values()]
        return sorted(entries, key=lambda entry: (entry["partition"], entry["first_offset"]))

    def ledger_sums(self) -> dict[str, int]:
        """The ledger's numbers, summed up."""
        entries = self.ledger()
        return {name: sum(entry[name] for entry in entries) for name in LEDGER_NUMBERS}

    @contextmanager
    def admin(self) -> Iterator[Any]:
        """Kafka's own view, by a client that the worker does not use."""
        client = KafkaAdminClient(bootstrap_servers=self.stack.kafka)
        try:
            yield client
        finally:
            client.close()

    def committed(self) -> dict[int, int]:
        """Partition -> committed offset of the group, 0 where there is none."""
        with self.admin() as client:
            try:
                offsets = client.list_group_offsets([self.facility])[self.facility]
            except COORDINATOR_STARTING:
                time.sleep(0.2)
                return self.committed()
        return {at.partition: metadata.offset for at, metadata in offsets.items() if metadata.offset >= 0}

    def ends(self) -> dict[int, int]:
        """Partition -> offset after the newest record."""
        consumer = KafkaConsumer(bootstrap_servers=self.stack.kafka)
        try:
            offsets = consumer.end_offsets(
                [TopicPartition(self.topic, n) for n in consumer.partitions_for_topic(self.topic)]
            )
        finally:
            consumer.close()
        return {at.partition: offset for at, offset in offsets.items()}

    def records(self, topic: str) -> list[Any]:
        """Everything in a topic."""
        consumer = KafkaConsumer(bootstrap_servers=self.stack.kafka, auto_offset_reset="earliest", group_id=None)
        try:
            every = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic)]
            consumer.assign(every)
            consumer.seek_to_beginning(*every)
            left = sum(consumer.end_offsets(every).values()) - sum(consumer.beginning_offsets(every).values())
            records: list[Any] = []
            while len(records) < left:
                records += [record for polled in consumer.poll(1000).values() for record in polled]
            return records
        finally:
            consumer.close()

    def clear(self) -> None:
        """Delete its indices and topics: a server that is killed comes back sooner when it holds less."""
        indices = self.client.indices.get(index=f"perf-*-{self.facility}*", features=["settings"])
        if indices.body:
            self.client.indices.delete(index=",".join(indices.body))
        with self.admin() as client:
            client.delete_topics([self.topic, self.settings.delivery.dead_letter_topic])

    def bury_dead_members(self) -> None:
        """Take killed workers out of the group at once, as an operator can; else each costs a session time-out."""
        with self.admin() as client:
            try:
                members = client.describe_groups([self.facility])[self.facility]["members"]
            except COORDINATOR_STARTING:
                time.sleep(0.2)
                self.bury_dead_members()
                return
            if members:
                client.remove_group_members(self.facility, [MemberToRemove(member_id=m["member_id"]) for m in members])


def copied_grammars(folder: Path) -> Path:
    """A copy of the shipped grammars that a test may change."""
    return Path(shutil.copytree(ROOT / "grammars", folder / "grammars"))
