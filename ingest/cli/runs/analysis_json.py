"""JSON output of `perflog analyze`, besides the runs."""

from collections.abc import Sequence
from typing import Any

from ingest.cli.verdicts import baseline_numbers, verdict_row
from ingest.cli.zone_faults_text import zone_fault_row
from ingest.core.alerts.outliers import Outliers, Usual
from ingest.core.analysis.offline import Analysis
from ingest.core.timestamps import iso


def head_row(files: Sequence[str], analysis: Analysis, judged: Outliers) -> dict[str, Any]:
    """Return the files, the outcomes of their lines, and the stages that are slower than usual."""
    counts, newest_ms = analysis.counts, analysis.newest_ms
    return {
        "files": list(files),
        "lines": counts.lines,
        "read": counts.read,
        "rejected": sum(refused.lines for refused in counts.rejected.values()),
        "ignored": counts.ignored.total(),
        "rejects": [{"shape": name, **refused._asdict()} for name, refused in counts.rejected.items()],
        "ignored_shapes": dict(counts.ignored),
        "zone_faults": [zone_fault_row(fault) for fault in analysis.zone_faults.by_host()],
        "as_of": {f"{facility}/{source}": iso(ms) for (facility, source), ms in newest_ms.items()},
        "outliers": _outliers(judged),
    }


def _outliers(judged: Outliers) -> dict[str, Any]:
    return {
        "rule": judged.rule.id,
        "counts": dict(judged.counts),
        "slow": [verdict_row(verdict) for verdict in judged.slow],
        "usual": [_usual(usual) for usual in judged.usual],
    }


def _usual(usual: Usual) -> dict[str, Any]:
    return {
        "stage": usual.name,
        "duration_kind": usual.kind,
        **baseline_numbers(usual.baseline),
        "longest_s": usual.longest.duration_s,
        "longest_run": usual.longest.run,
        "longest_start": iso(usual.longest.start_ms),
        "slow": usual.slow,
    }
