"""`perflog bench index`: from Kafka to Elasticsearch, beside yardsticks taken in the same run. Needs both servers.

Every way is measured in a process of its own, in turn and several times, into an index made anew; medians. The lines
are those of `perflog generate`, sent as `perflog ship` sends them. What it makes it removes again.
"""

import itertools
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ingest import config
from ingest.cli.run import spare_the_collector
from ingest.config import Settings
from ingest.core.actions import request_body
from ingest.core.flow import Flow
from ingest.core.model import Intake, Provenance
from ingest.core.parse import GrammarReader
from ingest.edge import yardsticks
from ingest.edge.elasticsearch.connect import client
from ingest.edge.kafka.producer import producer
from ingest.edge.kafka.topics import topics
from ingest.edge.ports import Letter, Partition, Received
from ingest.run.headers import written
from ingest.run.knowledge import Knowledge, knowledge
from ingest.run.reading import Reader
from ingest.run.session import work
from ingest.run.setup import set_up
from ingest.run.shipping import CHUNK_MESSAGES as CHUNK
from ingest.synthetic.workload import Workload, messages

TOPIC, FACILITY, INDEX = "perf.bench.lines.v1", "bench", "perf-marks-bench-2016.02"
INTAKE = Intake("bench", TOPIC, FACILITY, ("als_perf",), "als-tomography")
LARK_SHARE = 20  # the afternoon's way gets one line in so many: it is that much slower
FLIGHT = 5000


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement: lines, seconds, and of the process that did it its processor time and most memory."""

    lines: int
    wall_s: float
    cpu_s: float = 0.0
    peak_mib: float = 0.0

    @property
    def rate(self) -> float:
        """Lines a second."""
        return self.lines / self.wall_s


Way = Callable[[], Measured]


@click.command("index")
@click.option("--lines", "count", type=click.IntRange(10_000), default=300_000, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True, help="Medians of so many.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_obj
def command(settings_path: Path | None, /, count: int, repeat: int, as_json: bool) -> None:
    """One worker beside the limit (the same bytes, no pipeline), a bare loop, and an afternoon's work with Lark."""
    settings = _settings(config.load(settings_path))
    known = knowledge(settings.grammars)
    spare_the_collector()
    ways: dict[str, Way] = {
        "the limit: the same bytes, no pipeline": lambda: _limit(settings, known, count),
        "perflog run, one worker": lambda: _worker(settings, known),
        "a bare loop, no promises": lambda: _bare(settings),
        "plain Lark and helpers.bulk": lambda: _afternoon(settings, known, count),
    }
    with _shipped(settings, known, count):
        found = _measured(ways, repeat, settings)
    click.echo(orjson.dumps(_tree(found))) if as_json else _show(found, count, repeat, settings)


def _settings(settings: Settings) -> Settings:
    """The cluster of the settings, with an intake, a group and an index of the bench's own."""
    kafka = replace(settings.kafka, group=f"perflog-bench-{time.time_ns()}")
    delivery = replace(settings.delivery, dead_letter_topic="perf.bench.deadletter.v1")
    return replace(settings, kafka=kafka, delivery=delivery, intakes={INTAKE.name: INTAKE})


def _measured(ways: dict[str, Way], repeat: int, settings: Settings) -> dict[str, list[Measured]]:
    found: dict[str, list[Measured]] = {name: [] for name in ways}
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("warming up", total=1 + repeat * len(ways))
        for turn in range(repeat + 1):
            for name, way in ways.items():
                if turn == 0 and way is not next(iter(ways.values())):
                    continue  # the servers' own warming up is one way's work
                _emptied(settings)
                measured = _apart(way)
                if turn:
                    found[name].append(measured)
                progress.update(task, advance=1, description=name)
    return found


def _apart(way: Way) -> Measured:
    """In a process of its own, so that processor time and memory are that way's alone."""
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sender.send(way()))
    process.start()
    sender.close()
    try:
        measured: Measured = receiver.recv()
        return measured
    finally:
        process.join()


def _emptied(settings: Settings) -> None:
    """The index made anew by the template, and what was written before merged and out of the way."""
    with client(settings.elasticsearch) as connected:
        connected.indices.delete(index=INDEX, ignore_unavailable=True)
        connected.indices.create(index=INDEX)
        connected.cluster.health(wait_for_status="yellow")


def _limit(settings: Settings, known: Knowledge, count: int) -> Measured:
    reader = _reader(known)
    size = settings.delivery.bulk_documents
    bodies = []
    for some in batched(_received(count), size):
        bodies.append(request_body(reader.read(some, time.time_ns() // 1_000_000).actions))
    with client(settings.elasticsearch, settings.delivery.connections) as connected:
        return Measured(count, yardsticks.load(connected, bodies, settings.delivery.connections))


def _received(count: int) -> Iterator[Received]:
    """The workload as `ship` would send it, file after file."""
    files: dict[tuple[str, str], list[bytes]] = {}
    for made in messages(Workload(lines=count, facilities=(FACILITY,))):
        files.setdefault((made.host, made.path), []).append(made.data)
    now_ms, offsets = time.time_ns() // 1_000_000, itertools.count()
    for (host, path), lines in files.items():
        head = written(Provenance(host, path, forwarder="perflog"), backfill=True)
        at_bytes = 0
        for n, line in enumerate(lines):
            key = f"{host}:{path}#{n // CHUNK}".encode()
            tail = ("perflog.offset", b"%d" % at_bytes)
            yield Received(Partition(TOPIC, 0), next(offsets), now_ms, key, line, head, tail)
            at_bytes += len(line) + 1


def batched(records: Iterable[Received], size: int) -> Iterator[list[Received]]:
    """Lists of so many, the last one shorter."""
    each = iter(records)
    while some := list(itertools.islice(each, size)):
        yield some


def _reader(known: Knowledge) -> Reader:
    return Reader(Flow(INTAKE, known.sources, known.schema))


def _worker(settings: Settings, known: Knowledge) -> Measured:
    group = f"{settings.kafka.group}-{time.time_ns()}"
    report = work(settings, known, drain=True, group=group)
    records = report.counts[INTAKE.name].records
    return Measured(records, report.working_s, report.cpu_s, _peak_mib())


def _bare(settings: Settings) -> Measured:
    with client(settings.elasticsearch, settings.delivery.connections) as connected:
        polls = yardsticks.records(settings.kafka, TOPIC)
        first = next(polls)
        began = time.perf_counter(), time.process_time()

        def all_polls() -> Iterator[list[Any]]:
            yield first
            yield from polls

        lines = yardsticks.bare_loop(connected, all_polls(), INDEX, settings.delivery.connections)
        return Measured(lines, time.perf_counter() - began[0], time.process_time() - began[1], _peak_mib())


def _afternoon(settings: Settings, known: Knowledge, count: int) -> Measured:
    reader = known.sources["als_perf"].reader
    assert isinstance(reader, GrammarReader)  # noqa: S101 - als_perf has a grammar
    lines = [r.value.decode() for r in _received(count // LARK_SHARE) if r.value]
    reader.read_slowly(lines[0], b"")  # builds Lark's parser
    began_s = time.process_time()
    with client(settings.elasticsearch) as connected:
        wall_s = yardsticks.an_afternoon(connected, lines, lambda line: reader.read_slowly(line, b""))
    return Measured(len(lines), wall_s, time.process_time() - began_s, _peak_mib())


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def _shipped(settings: Settings, known: Knowledge, count: int) -> Iterator[None]:
    """The lines in a topic, which is gone afterwards."""
    set_up(settings, known.schema)
    try:
        _apart(lambda: _ship(settings, count))
        yield
    finally:
        _removed(settings)


def _ship(settings: Settings, count: int) -> Measured:
    began_s = time.perf_counter()
    with producer(settings.kafka) as outbox:
        for some in batched(_received(count), FLIGHT):
            outbox.send([Letter(TOPIC, r.key, r.value, r.headers) for r in some])
    return Measured(count, time.perf_counter() - began_s)


def _removed(settings: Settings) -> None:
    with client(settings.elasticsearch) as connected:
        for name in list(connected.indices.get(index="perf-*-bench,perf-*-bench-*").body):
            connected.indices.delete(index=name)
    with topics(settings.kafka) as cluster:
        cluster.delete([TOPIC, settings.delivery.dead_letter_topic])


def _tree(found: dict[str, list[Measured]]) -> dict[str, Any]:
    return {
        name: {
            "lines_per_s": round(median(m.rate for m in runs)),
            "cpu_us_per_line": round(median(m.cpu_s / m.lines for m in runs) * 1e6, 1),
            "peak_mib": round(max(m.peak_mib for m in runs)),
        }
        for name, runs in found.items()
    }


def _show(found: dict[str, list[Measured]], count: int, repeat: int, settings: Settings) -> None:
    tree = _tree(found)
    limit, bare = (tree[name]["lines_per_s"] for name in list(tree)[:3:2])
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("what", "lines/s", "of the limit", "of the bare loop", "µs of ours a line", "peak MiB"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, row in tree.items():
        rate = row["lines_per_s"]
        known = [f"{row['cpu_us_per_line']:.1f}", f"{row['peak_mib']:,}"] if row["peak_mib"] else ["", ""]
        table.add_row(name, f"{rate:,}", f"{rate / limit:.2f}", f"{rate / bare:.2f}", *known)
    Console().print(table)
    ways = f"{settings.delivery.connections} connections, requests of {settings.delivery.bulk_documents:,}"
    click.echo(f"Medians of {repeat}; {count:,} lines (Lark: one in {LARK_SHARE}); {ways}.")
