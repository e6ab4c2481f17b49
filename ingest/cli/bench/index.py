"""`perflog bench index`: from Kafka to Elasticsearch, beside baselines of the same run. Needs both servers.

Every variant is measured in its own process, in turn and several times, into a new index; medians. The lines are those
of `perflog generate`, sent as `perflog ship` sends them. Everything created is removed again. With `--derive on`,
stages
and runs are derived as well, with baselines of their own: see derive.py.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.progress import Progress

from ingest.cli.bench import baselines
from ingest.cli.bench.derive import bench as bench_derived
from ingest.cli.bench.harness import (
    INTAKE,
    TOPIC,
    Measurement,
    bench_settings,
    generated_records,
    in_own_process,
    marks_index,
    peak_mib,
    recreate_indices,
    shipped,
    worker,
)
from ingest.cli.console import echo, echo_json, figures_table, open_console, open_error_console
from ingest.config.load import load_settings
from ingest.config.settings import Settings
from ingest.core.batching import batched
from ingest.core.bulk import request_body
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.registry import Registry, load_registry
from ingest.core.records.record_decoder import RecordDecoder
from ingest.core.sources.grammar import GrammarReader
from ingest.edge.clock import now_ms
from ingest.edge.elasticsearch.client import client
from ingest.pipeline.admin.setup import DEFAULT_PARTITIONS
from ingest.pipeline.worker.process import fit_for_work

LARK_SHARE = 20  # the afternoon variant gets one line in so many: it is that much slower

Variant = Callable[[], Measurement]


@click.command("index")
@click.option("--lines", "count", type=click.IntRange(2_000), default=300_000, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=3, show_default=True, help="Medians of so many.")
@click.option(
    "--derive",
    type=click.Choice(["on", "off"]),
    default="off",
    show_default=True,
    help="Stages and runs of 1,000 interleaved runs too, beside every item that was sent for them.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON instead.")
@click.pass_obj
def command(settings_path: Path | None, /, count: int, repeat: int, derive: str, as_json: bool) -> None:
    """One worker beside the limit (the same bytes, no pipeline), a bare loop, and an afternoon's work with Lark."""
    settings = bench_settings(load_settings(settings_path), derive == "on")
    registry = load_registry(settings.grammars)
    fit_for_work()
    if derive == "on":
        bench_derived(settings, registry, count, repeat, as_json)
        return
    variants: dict[str, Variant] = {
        "the limit: the same bytes, no pipeline": lambda: _limit(settings, registry, count),
        "perflog run, one worker": lambda: worker(settings, registry),
        "a bare loop, no promises": lambda: _bare(settings, registry),
        "plain Lark and helpers.bulk": lambda: _afternoon(settings, registry, count),
    }
    with shipped(settings, registry, lambda: generated_records(count), DEFAULT_PARTITIONS):
        measurements = _measured(variants, repeat, settings, registry)
    echo_json(_tree(measurements)) if as_json else _show(measurements, count, repeat, settings)


def _measured(
    variants: dict[str, Variant], repeat: int, settings: Settings, registry: Registry
) -> dict[str, list[Measurement]]:
    measurements: dict[str, list[Measurement]] = {name: [] for name in variants}
    console = open_error_console()
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("warming up", total=1 + repeat * len(variants))
        for round_number in range(repeat + 1):
            for name, variant in variants.items():
                if round_number == 0 and variant is not next(iter(variants.values())):
                    continue  # one variant is enough to warm up the servers
                recreate_indices(settings, registry.schema)
                measured = in_own_process(variant)
                if round_number:
                    measurements[name].append(measured)
                progress.update(task, advance=1, description=name)
    return measurements


def _limit(settings: Settings, registry: Registry, count: int) -> Measurement:
    reader = _reader(registry)
    size = settings.delivery.bulk_documents
    bodies = []
    for batch in batched(generated_records(count), max_items=size):
        bodies.append(request_body(reader.read(batch, now_ms()).actions))
    with client(settings.elasticsearch, settings.delivery.connections) as connected:
        return Measurement(count, baselines.load(connected, bodies, settings.delivery.connections))


def _reader(registry: Registry) -> RecordDecoder:
    return RecordDecoder(Decoder(INTAKE, registry.sources, registry.schema))


def _bare(settings: Settings, registry: Registry) -> Measurement:
    with client(settings.elasticsearch, settings.delivery.connections) as connected:
        polls = baselines.records(settings.kafka, TOPIC)
        first = next(polls)
        began = time.perf_counter(), time.process_time()

        def all_polls() -> Iterator[list[Any]]:
            yield first
            yield from polls

        lines = baselines.bare_loop(connected, all_polls(), marks_index(registry.schema), settings.delivery.connections)
        return Measurement(lines, time.perf_counter() - began[0], time.process_time() - began[1], peak_mib())


def _afternoon(settings: Settings, registry: Registry, count: int) -> Measurement:
    reader = registry.sources["als_perf"].reader
    assert isinstance(reader, GrammarReader)  # noqa: S101 - als_perf has a grammar
    lines = [r.value.decode() for r in generated_records(count // LARK_SHARE) if r.value]
    reader.read_slowly(lines[0], b"")  # builds Lark's parser
    began_s = time.process_time()
    with client(settings.elasticsearch) as connected:
        wall_s = baselines.an_afternoon(connected, lines, lambda line: reader.read_slowly(line, b""))
    return Measurement(len(lines), wall_s, time.process_time() - began_s, peak_mib())


def _tree(measurements: dict[str, list[Measurement]]) -> dict[str, Any]:
    return {
        name: {
            "lines_per_s": round(median(m.rate for m in runs)),
            "cpu_us_per_line": round(median(m.cpu_s / m.lines for m in runs) * 1e6, 1),
            "peak_mib": round(max(m.peak_mib for m in runs)),
        }
        for name, runs in measurements.items()
    }


def _show(measurements: dict[str, list[Measurement]], count: int, repeat: int, settings: Settings) -> None:
    tree = _tree(measurements)
    limit, bare = (tree[name]["lines_per_s"] for name in list(tree)[:3:2])
    heads = ("lines/s", "of the limit", "of the bare loop", "µs of ours a line", "peak MiB")
    table = figures_table("what", heads)
    for name, row in tree.items():
        rate = row["lines_per_s"]
        figures = [f"{row['cpu_us_per_line']:.1f}", f"{row['peak_mib']:,}"] if row["peak_mib"] else ["", ""]
        table.add_row(name, f"{rate:,}", f"{rate / limit:.2f}", f"{rate / bare:.2f}", *figures)
    open_console().print(table)
    conditions = f"{settings.delivery.connections} connections, requests of {settings.delivery.bulk_documents:,}"
    echo(f"Medians of {repeat}; {count:,} lines (Lark: one in {LARK_SHARE}); {conditions}.")
