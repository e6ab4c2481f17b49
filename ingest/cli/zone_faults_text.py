"""Hosts whose timestamps are in a wrong zone, as text and as JSON; shared by `lint` and `analyze`."""

from typing import Any

from ingest.core.authoring.zone_faults import ZoneFault
from ingest.telemetry import make_visible


def describe_zone_fault(fault: ZoneFault) -> str:
    """Describe a zone fault: the host, how many lines, by how much they are off, and their lags when corrected."""
    lags = f"{fault.least_lag_s:g} s"
    if fault.most_lag_s != fault.least_lag_s:
        lags = f"{fault.least_lag_s:g} to {fault.most_lag_s:g} s"
    direction = "ahead" if fault.shift_s > 0 else "behind"
    stamped = f" stamped {fault.zone}" if fault.zone else ""
    summary = (
        f"{fault.lines:,} lines{stamped} are {abs(fault.shift_s):,} s {direction}; mended, their emission lag is {lags}"
    )
    return make_visible(f"{fault.host}: {summary}; first {fault.file}:{fault.number}")


def zone_fault_to_json(fault: ZoneFault) -> dict[str, Any]:
    """Return a zone fault as JSON."""
    return {
        "host": fault.host,
        "shift_s": fault.shift_s,
        "lines": fault.lines,
        "failed": fault.failed,
        "zone": fault.zone or None,
        "first": f"{fault.file}:{fault.number}",
        "least_lag_s": fault.least_lag_s,
        "most_lag_s": fault.most_lag_s,
    }
