"""pScheduler throughput results (iperf3, iperf2, nuttcp, …) -> rates in bit/s, bytes, retransmits, loss.

Numbers in brackets are the cases of the reference (perfsonar.md, section 8).
"""

from collections.abc import Mapping
from typing import Any

from ingest.core.network.fields import put
from ingest.core.network.iperf3 import in_diagnostics, put_jitter, put_packets, udp_received
from ingest.core.network.transport import COUNTS, TCP, UDP, counted, of_iperf3, present, requested_transport
from ingest.core.sources.convert import integer, rounded, us_to_ms
from ingest.core.sources.event import EventBuilder
from ingest.core.sources.lenient import is_true, mean_above_0, number_of, object_of, objects_of, put_text

_ADDED = ("throughput-bytes", "retransmits", "sent", "lost")


def throughput(event: EventBuilder, result: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Fill the fields of a throughput test."""
    intervals = [part for part in objects_of(result.get("intervals")) if not _omitted(part)]
    total, streams = _totals(event, result, intervals)
    put_text(event, "perf.network.protocol", _protocol(result, spec, [total, *streams], intervals))
    put(event, "parallel_streams", spec.get("parallel"), integer, least=1)
    if not intervals and not number_of(total.get("throughput-bits")):
        _nothing_moved(event)
        return
    put(event, "throughput_bps", total.get("throughput-bits"))
    put(event, "receiver_throughput_bps", total.get("receiver-throughput-bits"))
    put(event, "transferred_bytes", total.get("throughput-bytes"), rounded)
    put(event, "measured_s", _length_s(total))
    put(event, "mss_bytes", result.get("mss"), integer)
    put(event, "mtu_bytes", result.get("mtu"), integer)
    put(event, "tcp_rtt_mean_ms", _mean_rtt_us(streams, intervals), us_to_ms)
    put(event, "retransmits", _of_streams(total, streams, "retransmits"), integer)
    _loss(event, result, {key: _of_streams(total, streams, key) for key in COUNTS[UDP]})


def _protocol(
    result: Mapping[str, Any],
    spec: Mapping[str, Any],
    whole: list[Mapping[str, Any]],
    intervals: list[Mapping[str, Any]],
) -> str | None:
    """The protocol of a test: as requested, else from its numbers or iperf3's own output, else TCP.

    TCP is pScheduler's documented default. A result without its test does not tell what was requested: it has no
    default.
    """
    return (
        requested_transport(spec)
        or counted(whole)
        or counted(data := whole + _data(intervals))
        or of_iperf3(in_diagnostics(result.get("diags")))
        or present(data)
        or (TCP if spec else None)
    )


def _data(intervals: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All numbers of the intervals: each interval's summary and its streams."""
    wholes = [object_of(interval.get("summary")) for interval in intervals]
    return wholes + [stream for interval in intervals for stream in objects_of(interval.get("streams"))]


def _of_streams(total: Mapping[str, Any], streams: list[Mapping[str, Any]], key: str) -> Any:
    """A count of the whole test; if only the streams have it, their sum, or for jitter a single stream's value."""
    if total.get(key) is not None or not streams:
        return total.get(key)
    if key == "jitter":
        return streams[0].get(key) if len(streams) == 1 else None
    return _sum(streams, key)


def _nothing_moved(event: EventBuilder) -> None:
    """Set failure for a success without an interval and without a bit: the tool did not notice its failure [4]."""
    event.flags.append("empty_result")
    event.body["event.outcome"] = "failure"
    event.body.setdefault("error.message", "The tool reported success, but no interval and no bit transferred.")


def _omitted(interval: Mapping[str, Any]) -> bool:
    """Whether an interval is warm-up: these restart at 0 and overlap the others [29]."""
    return is_true(interval.get("omitted")) or is_true(object_of(interval.get("summary")).get("omitted"))


def _totals(
    event: EventBuilder, result: Mapping[str, Any], intervals: list[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    """The whole test's numbers and its streams; summed over the intervals if there is no summary [5]."""
    summary = object_of(result.get("summary"))
    inner = object_of(summary.get("summary")) or summary
    if "throughput-bits" in inner or not intervals:
        return inner, objects_of(summary.get("streams"))
    event.flags.append("summary_recomputed")
    return _summed([_of_interval(interval) for interval in intervals]), []


def _of_interval(interval: Mapping[str, Any]) -> Mapping[str, Any]:
    whole = object_of(interval.get("summary"))
    if "throughput-bits" in whole:
        return whole
    streams = objects_of(interval.get("streams"))
    if not streams:
        return {}
    return {**streams[0], **{key: _sum(streams, key) for key in ("throughput-bits", *_ADDED)}, "jitter": None}


def _summed(parts: list[Mapping[str, Any]]) -> dict[str, Any]:
    measured = [(bits, length) for part in parts if (bits := number_of(part.get("throughput-bits"))) is not None
                and (length := _length_s(part))]  # fmt: skip
    total_s = sum(length for _, length in measured)
    if not total_s:
        return {}
    return {
        "start": 0,
        "end": total_s,
        "throughput-bits": sum(bits * length for bits, length in measured) / total_s,
        **{key: _sum(parts, key) for key in _ADDED},
        "jitter": parts[0].get("jitter") if len(parts) == 1 else None,
    }


def _sum(parts: list[Mapping[str, Any]], key: str) -> float | None:
    """The sum over all parts; None if a part lacks the value."""
    values = [number_of(part.get(key)) for part in parts]
    positive_values = [value for value in values if value is not None and value >= 0]
    return sum(positive_values) if positive_values and len(positive_values) == len(values) else None


def _length_s(datum: Mapping[str, Any]) -> float | None:
    """Seconds from start to end; also correct for timestamps that count from 1900."""
    start, end = number_of(datum.get("start")), number_of(datum.get("end"))
    return None if start is None or end is None or end <= start else round(end - start, 6)


def _mean_rtt_us(streams: list[Mapping[str, Any]], intervals: list[Mapping[str, Any]]) -> float | None:
    """The mean round trip of the streams, or of the intervals' streams if the summary has none."""
    within = [stream for interval in intervals for stream in objects_of(interval.get("streams"))]
    for source in (streams, within):
        mean_us = mean_above_0(stream.get("rtt") for stream in source)
        if mean_us is not None:
            return mean_us
    return None


def _loss(event: EventBuilder, result: Mapping[str, Any], counts: Mapping[str, Any]) -> None:
    """Set UDP packets and jitter; pScheduler's loss of 0 for iperf3 is not a count, the receiver's is used [6, 7]."""
    udp = event.body.get("perf.network.protocol") == UDP
    if not udp and not any(map(number_of, counts.values())):
        return  # the zeros of a protocol without packet counts
    put_jitter(event, counts["jitter"])
    sent, lost = counts["sent"], counts["lost"]
    if not number_of(lost) and event.body.get("perf.network.tool", "iperf3") == "iperf3":
        received = udp_received(object_of(in_diagnostics(result.get("diags")).get("end")))
        lost = received.get("lost_packets")
        sent = received.get("packets") or sent
    put_packets(event, sent, lost)
