"""Find the two ends of a pScheduler run: from its test, else from its result and its participants."""

from collections.abc import Mapping
from typing import Any

from ingest.core.lookup import lookup
from ingest.core.network.iperf3 import ends as iperf3_ends
from ingest.core.network.iperf3 import in_diagnostics as iperf3_in
from ingest.core.network.iperf3 import is_reversed as iperf3_reversed
from ingest.core.sources.endpoint import bare_host, ip_version, put_end
from ingest.core.sources.event import EventBuilder
from ingest.core.sources.lenient import count_of, is_true, object_of, objects_of

TYPE = "perf.network.test_type"
ONE_WAY = {"throughput", "latency", "latencybg"}


def put_run_ends(
    event: EventBuilder, spec: Mapping[str, Any], result: Mapping[str, Any], sites: Mapping[str, str]
) -> None:
    """Set the sending and the receiving end; a test that runs in reverse sends from its `dest`."""
    source, dest = (spec.get(name) if isinstance(spec.get(name), str) else None for name in ("source", "dest"))
    if not spec:
        source, dest = _ends_of_result(event, result)
    source = source or _lead(event)
    if is_true(spec.get("reverse")) and event.body.get(TYPE) in ONE_WAY:
        source, dest = dest, source
        event.flags.append("reversed")
    put_end(event, "source", source, sites)
    put_end(event, "destination", dest, sites)
    version = count_of(spec.get("ip-version")) or ip_version(event)
    if version in {4, 6}:
        event.body["perf.network.ip_version"] = version


def _ends_of_result(event: EventBuilder, result: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The ends of a run whose test does not name them: its participants, in the direction of the tool's own output."""
    output = iperf3_in(result.get("diags"))
    hosts = _hosts(event, "participants")
    if len(hosts) != 2 or hosts[1] is None:
        answered = {ip for trip in objects_of(result.get("roundtrips")) if isinstance(ip := trip.get("ip"), str)}
        return iperf3_ends(output) if output else (None, answered.pop() if len(answered) == 1 else None)
    if not output:
        event.flags.append("ends_assumed")
    return (hosts[1], _lead(event)) if iperf3_reversed(output) else (_lead(event), hosts[1])


def _hosts(event: EventBuilder, path: str) -> list[str | None]:
    """The participants: names, or objects with `host` as in the documentation of pScheduler; None is the node."""
    listed = lookup(event.values, path)
    hosts = [object_of(one).get("host", one) for one in listed] if isinstance(listed, list) else []
    return [host if isinstance(host, str) else None for host in hosts]


def _lead(event: EventBuilder) -> str | None:
    """The lead participant; null stands for the node itself, which the run's URL names."""
    for path in ("participants", "run.participants"):
        hosts = _hosts(event, path)
        if hosts and hosts[0] is not None:
            return hosts[0]
    for path in ("run.href", "task.href"):
        href = lookup(event.values, path)
        host = bare_host(href) if isinstance(href, str) else ""
        if host and host != "localhost":
            return host
    return None
