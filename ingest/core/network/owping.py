"""Read blocks of owping's text into one document each: infer the missing zone, convert units to ms, drop nan.

The times are local times of the host that ran it, without a zone; the session id has the same instant as NTP time.
Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

import re

from ingest.core.network.delay import OWAMP_START_TTL, check_delays, flag_doubtful, in_ms, put_loss
from ingest.core.network.fields import NETWORK, put
from ingest.core.sources.endpoint import ip_version, put_end
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.sources.lenient import number_of, put_slot
from ingest.core.timestamps import QUARTER_S, ZONE_LIMIT_S, TimestampError, iso_ms, ntp_s

SESSION_SLACK_S = 120
MS_OF = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}
_PERCENTILE = re.compile(r"([0-9.]+):\s+(\S+)\s+(ns|us|ms|s)\b")


def owping(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one block of owping. Raises InvalidRecord if its packets are another session's, or no time."""
    _check_session(event)
    event.body["perf.network.test_type"] = "latency"
    event.body["perf.network.tool"] = "owping"
    _times(event, context)
    put_end(event, "source", event.values["FROM_HOST"], context.sites)
    put_end(event, "destination", event.values["TO_HOST"], context.sites)
    version = ip_version(event)
    if version:
        event.body["perf.network.ip_version"] = version
    _packets(event)
    _delays(event)
    _hops(event)


def _check_session(event: EventBuilder) -> None:
    """Reject packets (-v) that the statistics of another session follow: their own are missing."""
    listed, summed = event.values["SID"], event.values.get("SUMMED_SID")
    if summed is not None and summed.lower() != listed.lower():
        detail = f"the packets of session {listed} come without its statistics"
        raise InvalidRecord("torn", detail, "SUMMED_SID", f"session id {listed}")


def _times(event: EventBuilder, context: Context) -> None:
    session_s = _session_s(event.values["SID"])
    first, last = _local_ms(event, "FIRST"), _local_ms(event, "LAST")
    if first is None:
        raise InvalidRecord("no_time", "owping printed no time of its first packet", "FIRST")
    offset_s = _offset_s(event, first, session_s, context.intake.zone)
    event.body["@timestamp"] = event.body["event.start"] = first - offset_s * 1000
    if last is not None:
        put_slot(event, first - offset_s * 1000, last - offset_s * 1000)


def _session_s(session: str) -> float:
    """Unix seconds of the NTP time in a session id, after 8 digits of address; also in the era that begins in 2036."""
    return ntp_s(int(session[8:24], 16))


def _local_ms(event: EventBuilder, terminal: str) -> int | None:
    """A wall clock as ms; owping prints `.1000` for a second that was rounded up."""
    text = event.values[terminal]
    whole, _, millis = text.partition(".")
    if text.startswith("XXX"):
        return None
    try:
        return iso_ms(whole, 0) + int(millis)
    except TimestampError as error:
        raise InvalidRecord("stamp", str(error), terminal) from error


def _offset_s(event: EventBuilder, first_ms: int, session_s: float, declared_s: int | None) -> int:
    """Seconds east of UTC: from the session id, else as the intake declares [22]."""
    ahead_s = first_ms / 1000 - session_s
    inferred_s = round(ahead_s / QUARTER_S) * QUARTER_S
    has_zone = abs(ahead_s - inferred_s) <= SESSION_SLACK_S and abs(inferred_s) <= ZONE_LIMIT_S
    if declared_s is None:
        if not has_zone:
            raise InvalidRecord("zone_unknown", "the times name no zone, and the session id tells none", "FIRST")
        event.flags.append("zone_inferred")
        return inferred_s
    if has_zone and inferred_s != declared_s:
        event.flags.append("zone_fault")
        return inferred_s
    return declared_s


def _packets(event: EventBuilder) -> None:
    sent, lost, duplicates = (int(event.values[name]) for name in ("SENT", "LOST", "DUPLICATES"))
    event.body["perf.network.packets_sent"] = sent
    event.body["perf.network.packets_lost"] = lost
    event.body["perf.network.packets_duplicated"] = duplicates
    received = sent - lost
    if received >= 0:
        event.body["perf.network.packets_received"] = received
    put_loss(event, sent, lost)
    event.body["event.outcome"] = "success" if sent else "failure"
    if not sent:
        event.body["error.message"] = "owping sent no packet."
    if "NO_REORDERING" in event.values and received > 0:
        event.body["perf.network.packets_reordered"] = 0
    elif "REORDERED_PERCENT" in event.values:
        _reordered(event, event.values["REORDERED_PERCENT"], received)


def _reordered(event: EventBuilder, text: str, received: int) -> None:
    """Convert a share of the packets received into packets; nan is absent, a share above all of them is invalid."""
    percent = number_of(text)
    if percent is None and "nan" in text:
        return
    if percent is None or not 0 <= percent <= 100:
        event.flags.append("value_range")
    elif received >= 0:
        event.body["perf.network.packets_reordered"] = round(percent * received / 100)


def _delays(event: EventBuilder) -> None:
    values = event.values
    for name in ("min", "median", "max"):
        _put_ms(event, f"delay_{name}_ms", values.get(f"DELAY_{name.upper()}"), values.get("DELAY_UNIT"))
    check_delays(event)
    _put_ms(event, "max_clock_error_ms", values.get("ERROR"), values.get("ERROR_UNIT"), least=0)
    _put_ms(event, "delay_jitter_ms", values.get("JITTER"), values.get("JITTER_UNIT"), least=0)
    if "UNSYNC" in values or "ERROR" in values:
        event.body["perf.network.clock_synchronized"] = "UNSYNC" not in values
    for percent, value, unit in _PERCENTILE.findall(values.get("PERCENTILES", "")):
        if (rank := number_of(percent)) in {25.0, 75.0, 95.0}:
            _put_ms(event, f"delay_p{rank:.0f}_ms", value, unit)
    flag_doubtful(event)


def _put_ms(event: EventBuilder, name: str, text: str | None, unit: str | None, least: float | None = None) -> None:
    """Set a printed time in ms; nan is absent [11]."""
    put(event, name, text, in_ms(MS_OF[unit or "ms"]), least)


def _hops(event: EventBuilder) -> None:
    least = event.values.get("HOPS", event.values.get("HOPS_MIN"))
    most = event.values.get("HOPS", event.values.get("HOPS_MAX"))
    if least is None or most is None:
        return
    if int(least) <= int(most) <= OWAMP_START_TTL:
        event.body[NETWORK + "hops_min"], event.body[NETWORK + "hops_max"] = int(least), int(most)
    else:
        event.flags.append("value_range")
