"""Made-up iperf3 results: TCP over a 10 Gb/s path, one-second intervals, with the JSON that iperf3 itself prints."""

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from ingest.synthetic.network.pscheduler import ADDRESS, Report, Task

_SECONDS = 10
_STREAMS = 2
_MSS_BYTES = 8948
_FIRST_STREAM = 5


@dataclass(frozen=True, slots=True)
class Slice:
    """One stream during one second."""

    stream: int
    bits: float
    retransmits: int
    window_bytes: int
    rtt_us: int


def throughput(task: Task, load: float, congestion: float, rng: Random) -> Report:
    """Return the result of one test: 7 to 9.4 Gb/s on a free path, less and many retransmits on a congested one."""
    total_bps = (9.4e9 - 2.2e9 * load * rng.uniform(0.7, 1.0)) * (1 - 0.55 * congestion)
    seconds = [_second(total_bps * rng.uniform(0.97, 1.02), load, congestion, rng) for _ in range(_SECONDS)]
    totals = [_total([second[number] for second in seconds]) for number in range(_STREAMS)]
    received_bps = sum(total["throughput-bits"] for total in totals) * rng.uniform(0.997, 0.9995)
    summary = {**_sum(totals), "receiver-throughput-bits": received_bps}
    result = {
        "schema": 1,
        "succeeded": True,
        "intervals": [_interval(number, second) for number, second in enumerate(seconds)],
        "summary": {"streams": totals, "summary": summary},
        "mss": _MSS_BYTES,
        "diags": _diags(task, seconds, summary),
    }
    return Report(merged=result, full=[result, {"succeeded": True, "diags": "", "intervals": [], "summary": None}])


def _second(bits: float, load: float, congestion: float, rng: Random) -> list[Slice]:
    share = rng.uniform(0.47, 0.53)
    loss_events = 4 * load + 400 * congestion
    return [
        Slice(
            stream=_FIRST_STREAM + 2 * number,
            bits=bits * part,
            retransmits=int(rng.expovariate(1 / (loss_events + 0.2))),
            window_bytes=_MSS_BYTES * rng.randint(180, 420),
            rtt_us=int(1250 + 500 * load + 900 * congestion + rng.uniform(-80, 250)),
        )
        for number, part in enumerate((share, 1 - share))
    ]


def _datum(part: Slice, start: float) -> dict[str, Any]:
    return {
        "start": start,
        "end": start + 1,
        "throughput-bits": part.bits,
        "throughput-bytes": int(part.bits / 8),
        "retransmits": part.retransmits,
        "tcp-window-size": part.window_bytes,
        "rtt": part.rtt_us,
        "stream-id": part.stream,
        "omitted": False,
    }


def _interval(number: int, second: list[Slice]) -> dict[str, Any]:
    streams = [_datum(part, number) for part in second]
    return {"streams": streams, "summary": {**_sum(streams), "omitted": False}}


def _total(parts: list[Slice]) -> dict[str, Any]:
    bits = sum(part.bits for part in parts)
    return {
        "start": 0,
        "end": _SECONDS,
        "throughput-bits": bits / len(parts),
        "throughput-bytes": int(bits / 8),
        "retransmits": sum(part.retransmits for part in parts),
        "rtt": round(sum(part.rtt_us for part in parts) / len(parts)),
        "stream-id": parts[0].stream,
    }


def _sum(streams: list[dict[str, Any]]) -> dict[str, Any]:
    keys = ("throughput-bits", "throughput-bytes", "retransmits")
    return {"start": streams[0]["start"], "end": streams[0]["end"]} | {
        key: sum(stream[key] for stream in streams) for key in keys
    }


def _iperf3(part: Slice, start: float) -> dict[str, Any]:
    return {
        "socket": part.stream,
        "start": start,
        "end": start + 1,
        "seconds": 1,
        "bytes": int(part.bits / 8),
        "bits_per_second": part.bits,
        "retransmits": part.retransmits,
        "snd_cwnd": part.window_bytes,
        "snd_wnd": 2 * part.window_bytes,
        "rtt": part.rtt_us,
        "rttvar": 40,
        "pmtu": 9000,
        "omitted": False,
        "sender": True,
    }


def _diags(task: Task, seconds: list[list[Slice]], summary: dict[str, Any]) -> str:
    sent = {"start": 0, "end": _SECONDS, "seconds": _SECONDS, "sender": True}
    rates = {"bytes": summary["throughput-bytes"], "bits_per_second": summary["throughput-bits"]}
    received = {"bits_per_second": summary["receiver-throughput-bits"]}
    text = json.dumps(
        {
            "start": {
                "connecting_to": {"host": ADDRESS[task.dest], "port": 5201},
                "version": "iperf 3.17",
                "tcp_mss_default": _MSS_BYTES,
                "test_start": {"protocol": "TCP", "num_streams": _STREAMS, "duration": _SECONDS, "reverse": 0},
            },
            "intervals": [
                {"streams": [_iperf3(part, number) for part in second]} for number, second in enumerate(seconds)
            ],
            "end": {
                "sum_sent": {**sent, **rates, "retransmits": summary["retransmits"]},
                "sum_received": {**sent, **rates, **received},
                "cpu_utilization_percent": {"host_total": 42.1, "remote_total": 51.8},
                "sender_tcp_congestion": "cubic",
                "receiver_tcp_congestion": "cubic",
            },
        },
        indent="\t",
    )
    ends = f"-B {ADDRESS[task.source]} -c {ADDRESS[task.dest]}"
    return f"/usr/bin/iperf3 -p 5201 {ends} -t {_SECONDS} -i 1 -P {_STREAMS} --json\n\n{text}"
