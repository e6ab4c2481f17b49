"""Hosts whose stamps are of a wrong zone, for people and for machines: what `lint` and `analyze` say of them alike."""

from typing import Any

from ingest.cli.console import visible
from ingest.core.authoring.zone_faults import ZoneFault


def zone_fault_words(fault: ZoneFault) -> str:
    """Who printed how many such lines, by how much they are off, and their lags without that."""
    lags = f"{fault.least_lag_s:g} s"
    if fault.most_lag_s != fault.least_lag_s:
        lags = f"{fault.least_lag_s:g} to {fault.most_lag_s:g} s"
    way = "ahead" if fault.shift_s > 0 else "behind"
    stamped = f" stamped {fault.zone}" if fault.zone else ""
    told = f"{fault.lines:,} lines{stamped} are {abs(fault.shift_s):,} s {way}; mended, their emission lag is {lags}"
    return visible(f"{fault.host}: {told}; first {fault.file}:{fault.number}")


def zone_fault_row(fault: ZoneFault) -> dict[str, Any]:
    """The same as a plain tree for JSON."""
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
