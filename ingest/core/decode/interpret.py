"""Fill the fields of a record's documents: first by the source's table, then by the functions it names.

A table row maps a name or path through a conversion. Anything that needs code (checking a stamp against its epoch, a
histogram) is a function listed in CALLS and named by the source. Here fields are flat and dates are unix ms.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ingest.core.decode import key_values, workflow_lines
from ingest.core.lookup import lookup
from ingest.core.model import ExitCode, Outcomes, ParsedMessage, Problem
from ingest.core.network import iperf3, iperf3_text, owping, owping_machine, ping
from ingest.core.network.pscheduler import SHAPES
from ingest.core.sources.convert import CONVERSIONS, time
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.sources.source import Read, Source
from ingest.core.timestamps import UnknownZoneError
from ingest.core.transfers import fts, globus, gridftp, rucio, xrootd

CALLS: Mapping[str, Callable[[EventBuilder, Context], None]] = {
    "instant": workflow_lines.instant,
    "stage": workflow_lines.stage,
    **SHAPES,
    "owping": owping.owping,
    "owping_machine": owping_machine.owping_machine,
    "owping_raw": owping_machine.owping_raw,
    "iperf3": iperf3.iperf3,
    "iperf3_text": iperf3_text.iperf3_text,
    "ping": ping.ping,
    "traceroute": ping.traceroute,
    "gridftp": gridftp.gridftp,
    "gridftp_ng": gridftp.gridftp_ng,
    "globus_task": globus.globus_task,
    "globus_event": globus.globus_event,
    "rucio": rucio.rucio,
    "fts": fts.fts,
    "xrootd_close": xrootd.xrootd_close,
    "xrootd_tpc": xrootd.xrootd_tpc,
    "xrootd_cache": xrootd.xrootd_cache,
}


def events_of(record: ParsedMessage, source: Source) -> Iterator[EventBuilder]:
    """Yield a record's events: one per instant of a workflow line, one per block, or one for the whole record."""
    if source.pairs:
        yield key_values.event_of(record, source)
    elif source.marks:
        yield from workflow_lines.events_of(record, source.marks)
    elif record.items:
        for ordinal, item in enumerate(record.items):
            yield EventBuilder({**record.values, **item}, ordinal, record.values)
    else:
        yield EventBuilder(record.values, 0, record.values)


def documents_of(record: ParsedMessage, source: Source) -> int:
    """How many documents a record yields if none is rejected."""
    if source.pairs:
        return 1
    return max(workflow_lines.instants_in(record, source.marks) if source.marks else len(record.items), 1)


def ignored_shape(values: Mapping[str, Any], source: Source) -> str | None:
    """The shape under which a record is counted that its source declares to be ignored; None for every other record."""
    if not source.ignores:
        return None
    return next((ignore.shape for ignore in source.ignores if ignore.applies(values)), None)


def begun_shape(raw: bytes, source: Source) -> str | None:
    """The shape of a message that its source declares to be ignored by how it begins; None for every other message."""
    if not source.ignores:
        return None
    return next((one.shape for one in source.ignores if one.begins is not None and raw.startswith(one.begins)), None)


def is_declared_ignored(outcomes: Outcomes, source: Source) -> bool:
    """Whether the source read the record and declares it to be ignored: no other source needs to look at it."""
    shapes = {ignore.shape for ignore in source.ignores}
    return not outcomes.rejects and any(ignored.shape in shapes for ignored in outcomes.ignored)


def check(source: Source) -> None:
    """Raise `Problem` (78) if the source names a function that does not exist."""
    for name, _ in source.calls:
        if name not in CALLS:
            names = ", ".join(sorted(CALLS))
            raise Problem(
                f"Source {source.name}: there is no function `{name}`.", f"The functions are: {names}.", ExitCode.CONFIG
            )


def apply_table(event: EventBuilder, context: Context) -> None:
    """Apply the source's table, flags and functions to one event. Raises InvalidRecord."""
    source = context.source
    _check_shape(event, source)
    kind = next((str(selected) for path in source.select if (selected := lookup(event.values, path)) is not None), "")
    for read in source.reads:
        if read.only and kind not in read.only:
            continue
        value, path = _first(event.values, read.paths) if read.join is None else _joined(event.values, read)
        if value is None:
            continue
        try:
            converted = _converted(value, read, context)
        except UnknownZoneError as error:
            what = f"{path}: {error}, and the intake declares none: declare `zone` for the intake"
            raise InvalidRecord("zone_unknown", what, path, "Z or +hh:mm") from error
        except ValueError as error:
            raise InvalidRecord("value", f"{path}: {error}", path) from error
        if converted is not None:
            event.body[read.field] = converted
    event.flags.extend(flag.name for flag in source.flags if flag.worth(event.values, event.body))
    for name, only in source.calls:
        if not only or kind in only:
            CALLS[name](event, context)


def _converted(value: Any, read: Read, context: Context) -> Any:
    """A value as the field's; a time that names no zone is in the intake's. Raises ValueError."""
    if CONVERSIONS[read.conversion] is time:
        return time(value, context.intake.zone)
    return CONVERSIONS[read.conversion](value)


def _check_shape(event: EventBuilder, source: Source) -> None:
    """Raise InvalidRecord if the JSON lacks the fields that identify the source's documents."""
    for paths in source.needs:
        if all(lookup(event.values, path) is None for path in paths):
            missing = " or ".join(paths)
            raise InvalidRecord(
                "shape", f"JSON of another shape than {source.name} reads: it lacks {missing}", None, missing
            )


def _first(values: Mapping[str, Any], paths: tuple[str, ...]) -> tuple[Any, str]:
    for path in paths:
        value = lookup(values, path)
        if value is not None:
            return value, path
    return None, ""


def _joined(values: Mapping[str, Any], read: Read) -> tuple[str | None, str]:
    parts = [lookup(values, path) for path in read.paths]
    whole = None if None in parts or read.join is None else read.join.join(str(part) for part in parts)
    return whole, read.paths[0]
