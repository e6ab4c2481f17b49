"""JSON output of `perflog analyze`, besides the runs."""

from collections.abc import Sequence
from typing import Any

from ingest.cli.verdicts import baseline_numbers_to_json, verdict_to_json
from ingest.cli.zone_faults_text import zone_fault_to_json
from ingest.core.alerts.outliers import Outliers, Usual
from ingest.core.analysis.offline import Analysis
from ingest.core.timestamps import iso


def head_to_json(files: Sequence[str], analysis: Analysis, outliers: Outliers) -> dict[str, Any]:
    """Return the files, the outcomes of their lines, and the stages that are slower than usual."""
    counts, newest_ms = analysis.counts, analysis.newest_ms
    return {
        "files": list(files),
        "lines": counts.lines,
        "read": counts.read,
        "rejected": sum(reject.lines for reject in counts.rejected.values()),
        "ignored": counts.ignored.total(),
        "rejects": [{"shape": shape, **reject._asdict()} for shape, reject in counts.rejected.items()],
        "ignored_shapes": dict(counts.ignored),
        "zone_faults": [zone_fault_to_json(fault) for fault in analysis.zone_faults.by_host()],
        "as_of": {f"{facility}/{source}": iso(ms) for (facility, source), ms in newest_ms.items()},
        "outliers": _outliers_to_json(outliers),
    }


def _outliers_to_json(outliers: Outliers) -> dict[str, Any]:
    return {
        "rule": outliers.rule.id,
        "counts": dict(outliers.counts),
        "slow": [verdict_to_json(verdict) for verdict in outliers.slow],
        "usual": [_usual_to_json(usual) for usual in outliers.usual],
    }


def _usual_to_json(usual: Usual) -> dict[str, Any]:
    return {
        "stage": usual.name,
        "duration_kind": usual.kind,
        **baseline_numbers_to_json(usual.baseline),
        "longest_s": usual.longest.duration_s,
        "longest_run": usual.longest.run,
        "longest_start": iso(usual.longest.start_ms),
        "slow": usual.slow,
    }
