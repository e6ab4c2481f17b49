"""A run and its stages as JSON documents: names and units as in fields.toml, missing values are absent."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import orjson

from ingest.core.mark import MarkKind, RunKey
from ingest.core.runs.completeness import Completeness, completeness_fields
from ingest.core.runs.phases import BETWEEN, DISPATCH, LEAD, QUEUE, STAGE, TAIL
from ingest.core.runs.run import Run, seconds
from ingest.core.runs.stages import EXACT, LOWER, Stage
from ingest.core.timestamps import iso

NS_PER_MS = 1_000_000
PART_FIELDS = (
    (QUEUE, "queue_wait_s"), (DISPATCH, "dispatch_s"), (LEAD, "lead_s"),
    (STAGE, "staged_s"), (BETWEEN, "between_s"), (TAIL, "tail_s"),
)  # fmt: skip


@lru_cache(maxsize=4096)
def uid(key: RunKey, ordinal: int) -> str:
    """The id of a run's document, made of its run id and the instance."""
    return f"{key.id}.{ordinal}"


def stage_json(key: RunKey, ordinal: int, stage: Stage) -> str:
    """The document of a stage. It has an end and an ECS duration only if its END was seen.

    Text, made of parts that many stages share: there are as many of these documents as there are lines.
    """
    mark, duration_ms, kind, closed_by, closed_ms, attempt, lane, open_for_ms = stage
    what, lag_ms, start = mark.what, mark.lag_ms, iso(mark.at_ms)
    head, (name, opening) = _run_head(key, ordinal, what.workflow), _name_json(what)
    ended = ""
    if kind == EXACT and closed_ms is not None and duration_ms is not None:
        ended = f',"end":"{iso(closed_ms)}","duration":{duration_ms * NS_PER_MS}'
    duration = "" if duration_ms is None else f'"duration_s":{seconds(duration_ms)},'
    open_for = "" if open_for_ms is None else f',"open_for_s":{seconds(open_for_ms)}'
    lag = "" if lag_ms is None else f',"emit_lag_s":{seconds(lag_ms)}'
    return (
        f'{{"@timestamp":"{start}","event":{{"start":"{start}"{ended}}},{head},"stage":{{{name},{duration}'
        f'"duration_kind":"{kind}","closed_by":"{closed_by}","attempt":{attempt},"lane":{lane}{open_for}}},'
        f'"mark":{{{opening}{lag}}}}}}}'
    )


@lru_cache(maxsize=8192)
def _run_head(key: RunKey, ordinal: int, workflow: str) -> str:
    """The part that all stages of a run share; more of `perf` follows it."""
    run = {"id": key.run, "uid": uid(key, ordinal), "instance": ordinal}
    return f'"perf":{{{_members({**_perf(key, workflow), "run": run})}'


@lru_cache(maxsize=8192)
def _name_json(what: MarkKind) -> tuple[str, str]:
    """The name of a stage and the key of its opening mark, as JSON without braces."""
    parts = ("family", "product", "variant", "split")
    name = {"name": what.stage, **{part: text for part in parts if (text := getattr(what, part))}}
    return _members(name), _members({"key": what.key})


def _members(body: dict[str, Any]) -> str:
    """An object as JSON without its braces."""
    return _json(body)[1:-1]


def run_json(run: Run, flags: Iterable[str] = (), judged: Completeness | None = None) -> str:
    """The document of a run; `judged`: how complete it is, if that is known."""
    event = {"start": iso(run.first_ms)}
    if run.ended_ms is not None:
        event["end"] = iso(run.ended_ms)
    perf = _perf(run.key, run.workflow)
    if sorted_flags := sorted(flags):
        perf["flags"] = sorted_flags
    perf["run"] = {
        "id": run.key.run,
        "uid": uid(run.key, run.ordinal),
        "instance": run.ordinal,
        "state": run.state,
        "closed_by": run.closed_by,
        "last_seen": iso(run.seen_ms),
        "head_seen": run.head_seen,
        "tail_seen": run.tail_seen,
        "marks": run.marks,
        "stages": len(run.stages),
        "stages_open": [stage.closed_ms for stage in run.stages].count(None),
        **({"parallel": True} if run.parallel else {}),
        **({"ends_unmatched": run.ends_unmatched} if run.ends_unmatched else {}),
        **_times(run),
        **_longest(run),
        **({"completeness": completeness_fields(judged)} if judged else {}),
    }
    return _json({"@timestamp": event["start"], "event": event, "perf": perf})


def tombstone(key: RunKey, at_ms: int) -> str:
    """The body that overwrites a document that no longer follows from the marks."""
    perf = _perf(key, "")
    perf["run"] = {"id": key.run}
    perf["retracted"] = True
    return _json({"@timestamp": iso(at_ms), "perf": perf})


def _json(body: dict[str, Any]) -> str:
    return orjson.dumps(body).decode()


def _perf(key: RunKey, workflow: str) -> dict[str, Any]:
    perf: dict[str, Any] = {"facility": key.facility, "source": key.source}
    if workflow:
        perf["workflow"] = workflow
    return perf


def _times(run: Run) -> dict[str, Any]:
    lengths = run.part_lengths_ms
    times_ms = {name: lengths.get(kind) for kind, name in PART_FIELDS}
    times_ms["start_span_s"] = run.start_span_ms
    times_ms["observed_total_s"] = run.observed_ms
    times: dict[str, Any] = {name: seconds(ms) for name, ms in times_ms.items() if ms is not None}
    times["observed_total_kind"] = EXACT if run.head_seen and run.tail_seen else LOWER
    return times


def _longest(run: Run) -> dict[str, Any]:
    stage = run.longest
    if stage is None or stage.duration_ms is None:
        return {}
    return {
        "longest_stage": stage.mark.what.stage,
        "longest_stage_s": seconds(stage.duration_ms),
        "longest_stage_kind": stage.kind,
        "longest_stage_closed_by": stage.closed_by,
    }
