"""Sets up the servers: topics with append time, index templates, new fields in old indices. Safe to repeat."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingest.config.settings import Kafka, Settings
from ingest.core.fields import Schema
from ingest.core.ids import template_name
from ingest.core.sources.source import Source
from ingest.edge.elasticsearch.facts import open_facts
from ingest.edge.elasticsearch.index_templates import Templates, open_templates
from ingest.edge.kafka.client import ENVELOPE_BYTES
from ingest.edge.kafka.rights import DESCRIBE, DESCRIBE_CONFIGS, topic_rights
from ingest.edge.kafka.topics import (
    MAX_MESSAGE_BYTES,
    MIN_IN_SYNC,
    TIMESTAMP_TYPE,
    Replication,
    Topic,
    Topics,
    open_topics,
)

DEFAULT_PARTITIONS = 2
DEAD_LETTER_PARTITIONS = 1
MOST_COPIES = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that setup checked: `what` it is, `done` = created, changed, unchanged, skipped or due, and why."""

    what: str
    name: str
    done: str
    detail: str = ""


@dataclass(slots=True)
class SetupReport:
    """All steps of a setup, in order; `warnings` are sentences about what is allowed and seldom meant."""

    steps: list[Step] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def set_up(settings: Settings, schema: Schema, partitions: int = DEFAULT_PARTITIONS) -> SetupReport:
    """Create or change what `perflog run` needs in Kafka and Elasticsearch; `Problem` says what prevents it."""
    report = SetupReport()
    with open_topics(settings.kafka) as cluster:
        report.steps += _set_up_topics(cluster, settings, partitions)
        report.warnings += _single_copies(cluster, settings)
    with open_templates(settings.elasticsearch) as templates:
        for kind in schema.kinds:
            report.steps += _set_up_kind(templates, kind, schema)
        report.steps += _missing_features(templates)
    return report


def replays_due(settings: Settings, sources: Mapping[str, Source]) -> list[Step]:
    """Facts that a lower revision of their source than the current one read; raises `Problem` as `set_up` does."""
    with open_facts(settings.elasticsearch) as stored:
        read_by = stored.revisions()
    return [
        Step("facts", f"{facility}/{name}", "due", _replay_words(facility, name, revision, sources[name].revision))
        for (facility, name), revision in sorted(read_by.items())
        if name in sources and revision < sources[name].revision
    ]


def _replay_words(facility: str, source: str, revision: int, now: int) -> str:
    command = f"perflog replay --facility {facility} --source {source}"
    return f"revision {revision} read them, the current one is {now}: `{command}` corrects them"


def _topic_names(settings: Settings) -> list[str]:
    return [*(intake.topic for intake in settings.intakes.values()), settings.delivery.dead_letter_topic]


def _set_up_topics(cluster: Topics, settings: Settings, partitions: int) -> list[Step]:
    dead_letters = settings.delivery.dead_letter_topic
    names = _topic_names(settings)
    cluster.demand(topic_rights(names, DESCRIBE, DESCRIBE_CONFIGS))
    existing = cluster.describe(names)
    cluster.demand_creation([name for name in names if name not in existing])
    replication = replication_for(cluster.count_brokers(), settings.kafka)
    steps = []
    for name in _topic_names(settings):
        configs = topic_configs(settings.delivery.max_message_bytes, intake=name != dead_letters)
        count = DEAD_LETTER_PARTITIONS if name == dead_letters else partitions
        steps.append(
            _set_up_topic(cluster, existing[name], configs, replication)
            if name in existing
            else _make_topic(cluster, name, count, configs, replication)
        )
    return steps


def replication_for(brokers: int, kafka: Kafka) -> Replication:
    """Return how a new topic is kept: by the settings, else by three brokers, or all of them if they are fewer.

    Of three copies two are written before a record is acknowledged, so one broker may be down and none lost.
    """
    factor = kafka.replication_factor or min(MOST_COPIES, brokers)
    in_sync = 2 if factor > 2 else 1
    return Replication(factor, min(kafka.min_insync_replicas or in_sync, factor))


def _single_copies(cluster: Topics, settings: Settings) -> list[str]:
    """Return a warning for each topic that only one of several brokers keeps."""
    count = cluster.count_brokers()
    topics = cluster.describe(_topic_names(settings)).values() if count > 1 else ()
    return [
        f"Topic {topic.name} is kept by one of {count} brokers only: while that one is down, nothing can be shipped to"
        " it or read from it, and its disk is the only copy. `kafka.replication_factor` is for topics that setup makes."
        for topic in topics
        if topic.replication.factor == 1
    ]


def topic_configs(max_message_bytes: int, intake: bool) -> dict[str, str]:
    """The required configs of a topic; a dead letter has a second envelope of headers and the producer's time."""
    if not intake:
        return {MAX_MESSAGE_BYTES: str(max_message_bytes + 2 * ENVELOPE_BYTES)}
    return {MAX_MESSAGE_BYTES: str(max_message_bytes + ENVELOPE_BYTES), TIMESTAMP_TYPE: "LogAppendTime"}


def _make_topic(cluster: Topics, name: str, partitions: int, configs: dict[str, str], replication: Replication) -> Step:
    created = cluster.create(name, partitions, configs, replication)
    return Step(
        "topic", name, "created" if created else "unchanged", f"{partitions} partitions, {_kept_words(replication)}"
    )


def _kept_words(replication: Replication) -> str:
    return f"replication factor {replication.factor}, {MIN_IN_SYNC} {replication.min_in_sync}"


def _set_up_topic(cluster: Topics, existing: Topic, configs: dict[str, str], replication: Replication) -> Step:
    changed = []
    if existing.max_message_bytes < int(configs[MAX_MESSAGE_BYTES]):
        changed.append(f"{MAX_MESSAGE_BYTES} {existing.max_message_bytes} -> {configs[MAX_MESSAGE_BYTES]}")
    else:
        del configs[MAX_MESSAGE_BYTES]
    if TIMESTAMP_TYPE in configs and not existing.append_time:
        changed.append(
            f"{TIMESTAMP_TYPE} CreateTime -> LogAppendTime (records already in it keep their shipper's time)"
        )
    kept = _kept_words(existing.replication)
    if existing.replication != replication:
        kept += f" (a new topic would have {replication.factor} and {replication.min_in_sync}; setup changes neither)"
    if not changed:
        return Step("topic", existing.name, "unchanged", f"{existing.partitions} partitions, {kept}")
    cluster.alter(existing.name, configs)
    return Step("topic", existing.name, "changed", "; ".join([*changed, kept]))


def _set_up_kind(templates: Templates, kind: str, schema: Schema) -> list[Step]:
    done = templates.put(kind, schema)
    steps = [Step("template", template_name(kind), done, f"schema version {schema.version}")]
    for index, added in templates.extend(kind, schema).items():
        detail = f"new fields: {', '.join(added)}" if added else f"schema version {schema.version}"
        steps.append(Step("index", index, "changed", detail))
    return steps


def _missing_features(templates: Templates) -> list[Step]:
    features = templates.features().items()
    return [
        Step("feature", name, "skipped", f"not on this cluster: {consequence}")
        for name, (is_available, consequence) in features
        if not is_available
    ]
