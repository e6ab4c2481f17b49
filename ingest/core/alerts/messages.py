"""Describes incidents in sentences built from the rule and the numbers, so that text and rule cannot disagree."""

from ingest.core.alerts.incidents import OVER, SILENT, WITHDRAWN, Incident
from ingest.core.alerts.rules import Rule
from ingest.core.alerts.slow_stage import BY_MADS, BY_P95, BY_SECONDS, Threshold
from ingest.core.statistics import StageStatistics
from ingest.core.timestamps import iso

SIGN = {"upper": "≤ ", "exact": ""}
_CLOSED = {
    OVER: "Over since {}.",
    WITHDRAWN: "Withdrawn: by what the lines say now it was not slow.",
    SILENT: "Closed on {}: no such stage came any more.",
}


def message(incident: Incident, rule: Rule) -> str:
    """Describe an incident: which stage of which run, its numbers, the baseline, and its state."""
    first, whose = incident.first, incident.like
    of = "/".join(part for part in (whose.facility, whose.workflow) if part)
    what = f"{rule.id} {rule.title} ({incident.level}): {first.stage} of {of}"
    slow = f"Slow is more than {first.threshold.seconds:,.0f} s ({bound(first.threshold, rule)})"
    words = [
        f"{what} took {SIGN[incident.kind]}{first.took_s:,.0f} s in run {first.run}.",
        f"{slow}; usual is {usual(first.baseline)}.",
    ]
    if incident.slow > 1:
        since = iso(first.start_ms)
        words.append(f"Slow {incident.slow:,} times since {since}, {incident.worst.took_s:,.0f} s at worst.")
    if incident.closed_ms is not None:
        words.append(_CLOSED[incident.closed_by].format(iso(incident.closed_ms)))
    return " ".join(words)


def usual(base: StageStatistics) -> str:
    """Describe a baseline."""
    return f"{base.median_s:,.0f} s (median of {base.n}; P95 {base.p95_s:,.0f} s, MAD {base.mad_s:,.0f} s)"


def bound(threshold: Threshold, rule: Rule) -> str:
    """Describe the rule's bound that set the threshold."""
    slow = rule.slow
    return {
        BY_P95: f"{slow.times_p95:g} x P95",
        BY_MADS: f"median + {slow.mads:g} MADs",
        BY_SECONDS: f"median + {slow.over_median_s:g} s",
    }[threshold.by]
