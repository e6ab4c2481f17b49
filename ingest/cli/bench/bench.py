"""`perflog bench`: speed on this machine, beside baselines measured in the same run. Medians; no servers.

The lines are the sample's, shifted in time and run id so that no two are equal; the documents are the demo's, with
diagnostics as long as those of a real ten-second test.
"""

import gc
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import orjson
from rich.progress import Progress

from ingest.cli.bench.baselines import BARE
from ingest.cli.bench.index import command as index_command
from ingest.cli.bench.replay import command as replay_command
from ingest.cli.console import echo, echo_json, figures_table, open_console, open_error_console
from ingest.config.load import load_settings
from ingest.core.bulk import BulkAction, index_document, request_body
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_path import FastPath, RecordContext
from ingest.core.decode.registry import Registry, load_registry
from ingest.core.model import Intake, Message, Provenance
from ingest.core.sources.grammar import GrammarReader
from ingest.synthetic.network.schedule import day

BARE_TEXT = re.compile(BARE.pattern.decode())
RECEIVED_MS = 1_780_000_000_000
LARK_SHARE = 100  # Lark reads one line in so many: all of them would take minutes
DOCUMENT_BYTES = 95_000
BATCH = 20  # documents encoded at once: with more of them the data leave the processor's cache
ORIGIN = Provenance("bench", "/bench/als_perf.log", 0, None, "perf.als.lines.v1/0/0")
PLACE = RecordContext("perf.als.lines.v1/0/", backfill=True, ingested_ms=RECEIVED_MS)


@dataclass(frozen=True, slots=True)
class Timing:
    """A measurement: its name, the median rate and the unit."""

    name: str
    rate: float
    unit: str


@click.group("bench")
def command() -> None:
    """Measure on this machine, beside baselines in the same run."""


command.add_command(index_command)
command.add_command(replay_command)


@command.command("parse")
@click.option("--lines", "count", type=click.IntRange(1000), default=200_000, show_default=True)
@click.option("--repeat", type=click.IntRange(1), default=5, show_default=True, help="Median of so many.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead.")
@click.pass_obj
def parse(settings_path: Path | None, /, count: int, repeat: int, as_json: bool) -> None:
    """One core: lines to typed marks and to bulk bytes, documents to documents; a bare expression and Lark beside."""
    registry = load_registry(load_settings(settings_path).grammars)
    timings = [*_lines(registry, count, repeat), _documents(registry, repeat)]
    memory_mib = _status_mib("VmHWM")
    if as_json:
        rates = {f"{timing.name} ({timing.unit})": round(timing.rate, 1) for timing in timings}
        echo_json({"rates": rates, "peak_memory_mib": memory_mib})
        return
    table = figures_table("what", ("rate", "of the bare expression"))
    for timing in timings:
        share = f"{timing.rate / timings[0].rate:.2f}" if timing.unit == timings[0].unit else ""
        table.add_row(timing.name, f"{timing.rate:,.0f} {timing.unit}", share)
    open_console().print(table)
    echo(f"Medians of {repeat}; {count:,} lines; peak memory {memory_mib:,.0f} MiB; load {os.getloadavg()[0]:.1f}.")


@command.command("memory")
@click.option("--lines", "count", type=click.IntRange(10_000), default=5_000_000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON instead.")
@click.pass_obj
def memory(settings_path: Path | None, /, count: int, as_json: bool) -> None:
    """Whether memory stays flat over many different lines: resident memory after each tenth of them."""
    registry = load_registry(load_settings(settings_path).grammars)
    source = registry.sources["als_perf"]
    decoder = Decoder(Intake("bench", "bench", "als", ("als_perf",), "bench"), registry.sources, registry.schema)
    fast_path = FastPath(decoder, source, ORIGIN)
    read, write = fast_path.reader(), fast_path.writer(PLACE)
    sizes_mib = []
    with Progress(console=open_error_console(), disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task("lines", total=count)
        for n, line in enumerate(moved((source.folder / "samples.log").read_bytes().splitlines(), count), 1):
            mark = read(line)
            if mark is None or write(mark, line, RECEIVED_MS, "0", n) is None:
                decoder.decode(Message(line, RECEIVED_MS, ORIGIN, backfill=True), RECEIVED_MS)
            if n % (count // 10) == 0:
                sizes_mib.append(round(_status_mib("VmRSS"), 1))
                progress.update(task, completed=n)
    result = {"lines": count, "resident_mib": sizes_mib, "growth_mib": round(sizes_mib[-1] - sizes_mib[0], 1)}
    echo_json(result if as_json else f"{count:,} lines; resident MiB after each tenth: {sizes_mib}")


def _lines(registry: Registry, count: int, repeat: int) -> list[Timing]:
    source = registry.sources["als_perf"]
    lines = list(moved((source.folder / "samples.log").read_bytes().splitlines(), count))
    texts = [line.decode() for line in lines]
    decoder = Decoder(Intake("bench", "bench", "als", ("als_perf",), "bench"), registry.sources, registry.schema)
    fast_path = FastPath(decoder, source, ORIGIN)
    read, write = fast_path.reader(), fast_path.writer(PLACE)

    def bulk() -> None:
        for start in range(0, count, BATCH):
            batch: list[BulkAction] = []
            for n, line in enumerate(lines[start : start + BATCH], start):
                mark = read(line)
                action = write(mark, line, RECEIVED_MS, "0", n) if mark else None
                if action:
                    batch.append(action)
                else:
                    batch += _generally(decoder, line)
            request_body(batch)

    def bare(text: str) -> object:
        return (match := BARE_TEXT.match(text)) and match.groups()

    few = texts[::LARK_SHARE]
    reader = source.reader
    assert isinstance(reader, GrammarReader)  # noqa: S101 - als_perf has a grammar
    variants: list[tuple[str, Callable[[], None], int]] = [
        ("bare expression, groups", lambda: _apply(bare, texts), count),
        ("plain Lark LALR", lambda: _apply(lambda text: reader.read_slowly(text, b""), few), len(few)),
        ("lines to typed marks", lambda: _apply(read, lines), count),
        ("lines to bulk bytes", bulk, count),
    ]
    return [Timing(name, _rate(do, amount, repeat), "lines/s") for name, do, amount in variants]


def _generally(decoder: Decoder, line: bytes) -> list[BulkAction]:
    documents = decoder.decode(Message(line, RECEIVED_MS, ORIGIN, backfill=True), RECEIVED_MS).documents
    return [index_document(document) for document in documents]


def _documents(registry: Registry, repeat: int) -> Timing:
    decoder = Decoder(Intake("bench", "bench", "als", ("perfsonar",)), registry.sources, registry.schema)
    start = datetime(2016, 2, 6, tzinfo=UTC)
    data = [_of_size(document) for document in day(start) if b'"throughput-bits"' in document]
    messages = [Message(document, RECEIVED_MS, backfill=True) for document in data]
    size_mb = sum(map(len, data)) / 1e6
    name = f"perfSONAR throughput results of {size_mb * 1000 / len(data):.0f} KB to documents"
    return Timing(
        name, _rate(lambda: _apply(lambda m: decoder.decode(m, RECEIVED_MS), messages), size_mb, repeat), "MB/s"
    )


def moved(lines: Sequence[bytes], count: int) -> Any:
    """Yield `count` lines, each round of the sample a second and a run later; relative times stay the same."""
    parts = [_parts(line.decode()) for line in lines]
    for n in range(count):
        local, zone, head, run, rest, value = parts[n % len(parts)]
        step = n // len(parts)
        at = local + timedelta(seconds=step)
        stamp = f"{at:%a %b} {at.day} {at:%H:%M:%S} {zone} {at.year}"
        yield f"{stamp}: {head}:{int(run) + step}{rest}={value + step}".encode()


def _parts(line: str) -> tuple[datetime, str, str, str, str, int]:
    stamp, _, rest = line.partition(": ")
    _, month, day_text, clock, zone, year = stamp.split()
    number = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split().index(month) + 1  # noqa: SIM905
    local = datetime.fromisoformat(f"{year}-{number:02d}-{int(day_text):02d}T{clock}+00:00")
    left, _, value = rest.rpartition("=")
    script, number_text, run, tail = left.split(":", 3)
    return local, zone, f"{script}:{number_text}", run.split("-")[0], f"-{run.split('-')[1]}:{tail}", int(value)


def _of_size(document: bytes) -> bytes:
    tree = orjson.loads(document)
    diags = tree["result"]["diags"]
    while len(document) + len(diags) < DOCUMENT_BYTES:
        diags += tree["result"]["diags"]
    tree["result"]["diags"] = diags[: max(len(tree["result"]["diags"]), DOCUMENT_BYTES - len(document))]
    return orjson.dumps(tree)


def _apply(do: Callable[[Any], Any], over: Sequence[Any]) -> None:
    for one in over:
        do(one)


def _rate(do: Callable[[], None], amount: float, repeat: int) -> float:
    """Return the median of `amount` per second."""
    gc.collect()
    gc.freeze()  # measure the code, not the garbage collector's passes over the benchmark's own input
    took = []
    for _ in range(repeat):
        start = time.perf_counter()
        do()
        took.append(time.perf_counter() - start)
    return amount / statistics.median(took)


def _status_mib(key: str) -> float:
    """Return VmRSS or VmHWM of this process, from /proc."""
    match = re.search(rf"{key}:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(match[1]) / 1024 if match else 0.0
