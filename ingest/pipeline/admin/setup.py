"""Set up: topics with append time, templates, new fields in old indices. May be run again and again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingest.config.settings import Settings
from ingest.core.fields import Schema
from ingest.core.sources.source import Source
from ingest.edge.elasticsearch.facts import open_facts
from ingest.edge.elasticsearch.index_templates import Templates, open_templates
from ingest.edge.kafka.client import ENVELOPE_BYTES
from ingest.edge.kafka.topics import MAX_MESSAGE_BYTES, TIMESTAMP_TYPE, Topic, Topics, open_topics

DEFAULT_PARTITIONS = 2
DEAD_LETTER_PARTITIONS = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that setup saw to: `what` it is, `done` = created, changed, unchanged, skipped or due, and why."""

    what: str
    name: str
    done: str
    detail: str = ""


@dataclass(slots=True)
class SetupReport:
    """Everything setup saw to, in order."""

    steps: list[Step] = field(default_factory=list)


def set_up(settings: Settings, schema: Schema, partitions: int = DEFAULT_PARTITIONS) -> SetupReport:
    """Bring Kafka and Elasticsearch to what run needs; `Problem` says what stands in the way."""
    report = SetupReport()
    with open_topics(settings.kafka) as cluster:
        report.steps += _set_up_topics(cluster, settings, partitions)
    with open_templates(settings.elasticsearch) as known:
        for kind in schema.kinds:
            report.steps += _set_up_kind(known, kind, schema)
        report.steps += _lacking(known)
    return report


def replays_due(settings: Settings, sources: Mapping[str, Source]) -> list[Step]:
    """Facts that a lower revision of their source read than the one that is there now; `Problem` as of `set_up`."""
    with open_facts(settings.elasticsearch) as stored:
        read_by = stored.revisions()
    return [
        Step("facts", f"{facility}/{name}", "due", _replay_words(facility, name, revision, sources[name].revision))
        for (facility, name), revision in sorted(read_by.items())
        if name in sources and revision < sources[name].revision
    ]


def _replay_words(facility: str, source: str, revision: int, now: int) -> str:
    command = f"perflog replay --facility {facility} --source {source}"
    return f"revision {revision} read them, {now} is there now: `{command}` corrects them"


def _set_up_topics(cluster: Topics, settings: Settings, partitions: int) -> list[Step]:
    letters = settings.delivery.dead_letter_topic
    wanted = {intake.topic: partitions for intake in settings.intakes.values()} | {letters: DEAD_LETTER_PARTITIONS}
    there = cluster.described(list(wanted))
    steps = []
    for name, count in wanted.items():
        configs = topic_configs(settings.delivery.max_message_bytes, intake=name != letters)
        steps.append(_set_up_topic(cluster, name, count, configs, there.get(name)))
    return steps


def topic_configs(max_message_bytes: int, intake: bool) -> dict[str, str]:
    """What a topic must be set to; a dead letter carries a second envelope of headers, and keeps its own time."""
    if not intake:
        return {MAX_MESSAGE_BYTES: str(max_message_bytes + 2 * ENVELOPE_BYTES)}
    return {MAX_MESSAGE_BYTES: str(max_message_bytes + ENVELOPE_BYTES), TIMESTAMP_TYPE: "LogAppendTime"}


def _set_up_topic(cluster: Topics, name: str, partitions: int, configs: dict[str, str], there: Topic | None) -> Step:
    if there is None:
        created = cluster.create(name, partitions, configs)
        return Step("topic", name, "created" if created else "unchanged", f"{partitions} partitions")
    changed = []
    if there.max_message_bytes < int(configs[MAX_MESSAGE_BYTES]):
        changed.append(f"{MAX_MESSAGE_BYTES} {there.max_message_bytes} -> {configs[MAX_MESSAGE_BYTES]}")
    else:
        del configs[MAX_MESSAGE_BYTES]
    if TIMESTAMP_TYPE in configs and not there.append_time:
        changed.append(
            f"{TIMESTAMP_TYPE} CreateTime -> LogAppendTime (records already in it keep their shipper's time)"
        )
    if not changed:
        return Step("topic", name, "unchanged", f"{there.partitions} partitions")
    cluster.alter(name, configs)
    return Step("topic", name, "changed", "; ".join(changed))


def _set_up_kind(known: Templates, kind: str, schema: Schema) -> list[Step]:
    done = known.put(kind, schema)
    steps = [Step("template", f"perf-{kind}", done, f"schema version {schema.version}")]
    for index, added in known.extend(kind, schema).items():
        detail = f"new fields: {', '.join(added)}" if added else f"schema version {schema.version}"
        steps.append(Step("index", index, "changed", detail))
    return steps


def _lacking(known: Templates) -> list[Step]:
    features = known.features().items()
    return [
        Step("feature", name, "skipped", f"not on this cluster: {without}")
        for name, (there, without) in features
        if not there
    ]
