"""Read owping -M and -R into delay, loss and TTL; their times are NTP times, so no zone is inferred."""

from collections.abc import Iterator
from math import isfinite

from ingest.core.network.delay import OWAMP_START_TTL, check_delays, flag_doubtful, in_ms, put_histogram, put_loss
from ingest.core.network.fields import NETWORK, put, put_ends
from ingest.core.sources.convert import integer
from ingest.core.sources.event import Context, EventBuilder, InvalidRecord
from ingest.core.sources.lenient import number_of, put_slot
from ingest.core.timestamps import NTP_ERA, ntp_s

MOST_DETAIL = 1  # rank: this form of a session has more detail than the other
UNKNOWN_TTL = 255
MS_PER_S = 1000.0


def owping_machine(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one block of owping -M. Raises InvalidRecord if it has no start."""
    values = event.values
    event.rank = MOST_DETAIL
    _start(event, int(values["START_TIME"]), int(values["END_TIME"]))
    put_ends(event, (values["FROM_HOST"], values["TO_HOST"]), (values["FROM_ADDR"], values["TO_ADDR"]), context.sites)
    lost = int(values["LOST"]) if "LOST" in values else None
    _packets(event, int(values["SENT"]), lost)
    put(event, "packets_duplicated", values.get("DUPS"), integer)
    put(event, "packets_reordered", values.get("REORDERED"), integer)
    event.body[NETWORK + "clock_synchronized"] = values["SYNC"] == "1"
    _put_s(event, "max_clock_error_ms", values.get("MAXERR"), least=0)
    if "BUCKETS" in values:
        put_histogram(event, _buckets(values["BUCKETS"], number_of(values["BUCKET_WIDTH"])))
    for name, terminal in (("min", "MIN"), ("median", "MEDIAN"), ("max", "MAX")):
        _put_s(event, f"delay_{name}_ms", values.get(terminal))  # exact; the buckets' values are rounded
    check_delays(event)
    _put_s(event, "delay_jitter_ms", values.get("PDV"), least=0)
    flag_doubtful(event)
    _hops(event, [int(values[name]) for name in ("MINTTL", "MAXTTL") if name in values])


def owping_raw(event: EventBuilder, context: Context) -> None:
    """Fill the fields of one session of raw packets. Raises InvalidRecord if no packet has a send time."""
    packets = [line.split() for line in event.values["PACKETS"].splitlines()]
    cut = None if _ends_a_line(context.message.data) else packets[-1]
    sent_ntp = sorted(int(packet[1]) for packet in packets)
    _start(event, sent_ntp[0], sent_ntp[-1])
    received: dict[str, list[str]] = {}
    duplicates = 0
    for packet in packets:
        if int(packet[4]):
            duplicates += packet[0] in received
            received.setdefault(packet[0], packet)
    sent = len({packet[0] for packet in packets})
    _packets(event, sent, sent - len(received))
    put(event, "packets_duplicated", duplicates, integer)
    event.body[NETWORK + "clock_synchronized"] = all(packet[2] == packet[5] == "1" for packet in received.values())
    errors = [error for packet in received.values() for text in (packet[3], packet[6])
              if (error := number_of(text)) is not None]  # fmt: skip
    if errors:
        put(event, "max_clock_error_ms", round(max(errors) * 1000, 6))
    put_histogram(event, _delays(list(received.values())))
    _hops(event, sorted(int(packet[7]) for packet in received.values() if packet is not cut))


def _ends_a_line(data: bytes) -> bool:
    """Whether a newline follows the last packet; without it, its TTL may be the beginning of a longer number."""
    return b"\n" in data[len(data.rstrip()) :]


def _start(event: EventBuilder, start_ntp: int, end_ntp: int) -> None:
    event.body[NETWORK + "test_type"], event.body[NETWORK + "tool"] = "latency", "owping"
    if not start_ntp or max(start_ntp, end_ntp) >= NTP_ERA:
        raise InvalidRecord("no_time", "owping gave no time of its first packet", "START_TIME")
    start_ms = round(ntp_s(start_ntp) * 1000)
    event.body["@timestamp"] = event.body["event.start"] = start_ms
    if end_ntp:
        put_slot(event, start_ms, round(ntp_s(end_ntp) * 1000))


def _packets(event: EventBuilder, sent: int, lost: int | None) -> None:
    put(event, "packets_sent", sent, integer)
    if lost is not None:
        put(event, "packets_lost", lost, integer)
        put(event, "packets_received", sent - lost if lost <= sent else None, integer)
    put_loss(event, sent, lost)
    event.body["event.outcome"] = "success" if sent else "failure"
    if not sent:
        event.body["error.message"] = "owping sent no packet."


def _buckets(text: str, width_s: float | None) -> Iterator[tuple[float | None, int]]:
    """(ms, count) of each bucket; without a width, bucket numbers have no meaning."""
    for line in text.split("\n"):
        if line.strip():
            bucket, count = line.split()
            delay_ms = int(bucket) * width_s * 1000 if width_s else None
            yield delay_ms if delay_ms is None or not isfinite(delay_ms) else round(delay_ms, 6), int(count)


def _delays(packets: list[list[str]]) -> Iterator[tuple[float, int]]:
    """(ms, 1) of each packet, to a microsecond; whole numbers are subtracted, so no precision is lost."""
    for packet in packets:
        yield round((int(packet[4]) - int(packet[1])) / 2**32 * 1000, 3), 1


def _put_s(event: EventBuilder, name: str, text: str | None, least: float | None = None) -> None:
    put(event, name, text, in_ms(MS_PER_S), least)


def _hops(event: EventBuilder, ttls: list[int]) -> None:
    if any(ttl > UNKNOWN_TTL for ttl in ttls) or ttls != sorted(ttls):
        event.flags.append("value_range")
        return
    hops = [OWAMP_START_TTL - ttl for ttl in ttls if ttl < UNKNOWN_TTL]
    if hops:
        event.body[NETWORK + "hops_min"], event.body[NETWORK + "hops_max"] = min(hops), max(hops)
