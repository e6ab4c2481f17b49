"""`perflog bench index --derive on`: one worker that also derives stages and runs, for 1,000 interleaved runs.

The baseline is what that worker sent: every item of its bulk requests (marks, states, stages, runs, ledger) is recorded
and loaded again into new indices, without the pipeline and over the same number of connections. Lines come in the order
in which runs print them, in one partition, by file in short segments, as forwarders send them. For comparison the same
lines are also measured file by file, where one run follows the other and a run's lines arrive together.
"""

import pickle
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ingest.cli.bench import baselines
from ingest.cli.bench.baselines import recorded_bodies, unconditional
from ingest.cli.bench.harness import (
    FACILITY,
    Measurement,
    Records,
    by_file,
    in_own_process,
    recreate_indices,
    shipped,
    worker,
)
from ingest.cli.console import echo, echo_json, figures_table, open_console
from ingest.config.settings import Settings
from ingest.core.batching import batched
from ingest.core.decode.registry import Registry
from ingest.core.ids import parse_index
from ingest.core.kafka_record import ConsumerRecord
from ingest.edge.elasticsearch.client import client
from ingest.synthetic.workload.generator import Made, Workload, messages

SPAN_A_LINE_S = 0.08  # runs of half an hour with some 27 lines each: 1,000 overlap
BATCH_MARKS = 2000
ITEM = re.compile(rb'\{"(?:index|create)":\{"_index":"([^"]+)","_id":"([^"]+)"')
KINDS = ("marks", "runstate", "writers", "stages", "runs", "ledger")


@dataclass(frozen=True, slots=True)
class Round:
    """A worker's measurement, its baseline, and for each kind how many items were sent for how many ids."""

    worker: Measurement
    items: int
    load_s: float
    sent: dict[str, tuple[int, int]]

    @property
    def ratio(self) -> float:
        """The worker's speed, where 1 is the speed of loading its own items without the pipeline."""
        return self.load_s / self.worker.wall_s

    def times(self, kind: str) -> float:
        """Return how often each document of a kind was written, on average."""
        items, ids = self.sent.get(kind, (0, 1))
        return items / ids


def bench(settings: Settings, registry: Registry, count: int, repeat: int, as_json: bool) -> None:
    """Measure and print."""
    records_by_order: dict[str, Records] = {
        "1,000 runs interleaved": lambda: interleaved(count),
        "a run's lines together": lambda: together(count),
    }
    rounds_by_order = {name: _rounds(settings, registry, records, repeat) for name, records in records_by_order.items()}
    tree = {name: _tree(rounds) for name, rounds in rounds_by_order.items()}
    echo_json(tree) if as_json else _show(tree, count, repeat, settings)


def interleaved(count: int) -> Iterator[ConsumerRecord]:
    """Yield records in the order of printing, by file in short segments."""
    for segment in batched(_made(count), max_items=BATCH_MARKS):
        yield from by_file(segment)


def together(count: int) -> Iterator[ConsumerRecord]:
    """Yield records with each run's lines together."""
    made = sorted(_made(count), key=lambda one: (one.host, one.truth.facts[0].run or ""))
    yield from by_file(made)


def _made(count: int) -> Iterator[Made]:
    return messages(Workload(lines=count, facilities=(FACILITY,), span_s=count * SPAN_A_LINE_S))


def _rounds(settings: Settings, registry: Registry, records: Records, repeat: int) -> list[Round]:
    with tempfile.TemporaryDirectory() as folder, shipped(settings, registry, records, partitions=1):
        bodies_path = Path(folder) / "bodies"
        rounds = []
        for round_number in range(repeat + 1):
            recreate_indices(settings, registry.schema)
            measured = in_own_process(lambda: _record(settings, registry, bodies_path))
            recreate_indices(settings, registry.schema)
            items, load_s, sent = in_own_process(lambda: _send_again(settings, bodies_path))
            if round_number:  # the first round warms the servers up
                rounds.append(Round(measured, items, load_s, sent))
    return rounds


def _record(settings: Settings, registry: Registry, bodies_path: Path) -> Measurement:
    with recorded_bodies() as bodies:
        measured = worker(settings, registry)
    bodies_path.write_bytes(pickle.dumps(unconditional(bodies)))
    return measured


def _send_again(settings: Settings, bodies_path: Path) -> tuple[int, float, dict[str, tuple[int, int]]]:
    bodies: list[bytes] = pickle.loads(bodies_path.read_bytes())  # noqa: S301 - our own, of a moment ago
    items: Counter[str] = Counter()
    ids: dict[str, set[bytes]] = {}
    for body in bodies:
        for index, doc_id in ITEM.findall(body):
            kind = parse_index(index.decode()).kind
            items[kind] += 1
            ids.setdefault(kind, set()).add(doc_id)
    with client(settings.elasticsearch, settings.delivery.connections) as connected:
        load_s = baselines.load_again(connected, bodies, settings.delivery.connections)
    return items.total(), load_s, {kind: (items[kind], len(ids[kind])) for kind in items}


def _tree(rounds: list[Round]) -> dict[str, Any]:
    lines = rounds[0].worker.lines
    return {
        "lines": lines,
        "lines_per_s": round(median(one.worker.rate for one in rounds)),
        "cpu_us_per_line": round(median(one.worker.cpu_s / lines for one in rounds) * 1e6, 1),
        "items": round(median(one.items for one in rounds)),
        "of_the_limit": round(median(one.ratio for one in rounds), 2),
        "peak_mib": round(max(one.worker.peak_mib for one in rounds)),
        "written_times": {kind: round(median(one.times(kind) for one in rounds), 2) for kind in KINDS},
    }


def _show(tree: dict[str, dict[str, Any]], count: int, repeat: int, settings: Settings) -> None:
    heads = ("lines/s", "items sent", "of the limit", "µs of ours a line", "peak MiB")
    table = figures_table("lines", (*heads, "stage times", "run times", "state times"))
    for name, row in tree.items():
        times = (f"{row['written_times'][kind]:.2f}" for kind in ("stages", "runs", "runstate"))
        table.add_row(name, f"{row['lines_per_s']:,}", f"{row['items']:,}", f"{row['of_the_limit']:.2f}",
                      f"{row['cpu_us_per_line']:.1f}", f"{row['peak_mib']:,}", *times)  # fmt: skip
    open_console().print(table)
    conditions = f"{settings.delivery.connections} connections, requests of {settings.delivery.bulk_documents:,}"
    echo(f"Medians of {repeat}; {count:,} lines; {conditions}. The limit: the same items, no pipeline.")
    echo("Times: how often a stage, a run and its state were written.")
