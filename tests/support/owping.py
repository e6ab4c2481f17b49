"""Made-up text output of owping: both directions in one message, local Californian time without a zone.

Nothing in the text can say that it is synthetic, so the demo does not ship it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from random import Random

from ingest.synthetic.network.delay import hops, lost_packets, one_way_ms
from ingest.synthetic.network.path import PACIFIC, PathConditions, generator, path_conditions
from ingest.synthetic.network.pscheduler import ADDRESS, ALS_LATENCY, NERSC, Task

_NTP_TO_UNIX_S = 2_208_988_800
_PACKETS = 100


def owping_blocks(start: datetime, hours: float, seed: int) -> Iterator[bytes]:
    """Yield one message every four hours of the window: two blocks, to the far end and back.

    Args:
        start: first instant of the window, with a zone.
        hours: length of the window.
        seed: the same seed and window give the same bytes.
    """
    path = path_conditions(start, hours, seed)
    for number in range(max(1, round(hours / 4))):
        when = start + timedelta(hours=4 * number, minutes=7)
        rng = generator("owping", seed, when.astimezone(UTC).isoformat())
        ends = ((ALS_LATENCY, NERSC), (NERSC, ALS_LATENCY))
        blocks = [_block(source, dest, when, path, rng) for source, dest in ends]
        yield ("Approximately 13.2 seconds until results available\n\n" + "\n".join(blocks)).encode()


def session_id(receiver: str, when: datetime, rng: Random) -> str:
    """Return an OWAMP session id: the receiver's IPv4 address, the NTP time, and 32 random bits, in hex."""
    seconds = int(when.timestamp()) + _NTP_TO_UNIX_S
    fraction = int(when.microsecond / 1e6 * 2**32)
    return f"{int(IPv4Address(receiver)):08x}{seconds:08x}{fraction:08x}{rng.getrandbits(32):08x}"


def _block(source: str, dest: str, when: datetime, path: PathConditions, rng: Random) -> str:
    task = Task("latency", "owping", source, dest, repeat_s=14_400, slot_s=21)
    begun = when + timedelta(seconds=rng.uniform(0, 1))
    first = (begun + timedelta(seconds=rng.uniform(1, 3))).astimezone(PACIFIC)
    lost = lost_packets(path.congestion(when), _PACKETS, rng)
    delays = sorted(one_way_ms(task, path.load(when), path.rerouted(when), _PACKETS - lost, rng))
    median, p95, error = delays[len(delays) // 2], delays[int(len(delays) * 0.95)], rng.uniform(0.04, 0.4)
    return (
        f"--- owping statistics from [{source}]:{rng.randint(8760, 9960)} to [{dest}]:{rng.randint(8760, 9960)} ---\n"
        f"SID:\t{session_id(ADDRESS[dest], begun, rng)}\n"
        f"first:\t{_local(first)}\n"
        f"last:\t{_local(first + timedelta(seconds=9.9))}\n"
        f"{_PACKETS} sent, {lost} lost ({100 * lost / _PACKETS:.3f}%), 0 duplicates\n"
        f"one-way delay min/median/max = {delays[0]:.3g}/{median:.3g}/{delays[-1]:.3g} ms, (err={error:.3g} ms)\n"
        f"one-way jitter = {p95 - median:.3g} ms (P95-P50)\n"
        f"hops = {hops(path.rerouted(when))} (consistently)\n"
        "no reordering\n"
    )


def _local(when: datetime) -> str:
    return when.replace(tzinfo=None).isoformat(timespec="milliseconds")
