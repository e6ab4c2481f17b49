"""Checks before something starts: the rights are granted, the topics exist, the index templates match the schema."""

from collections.abc import Mapping, Sequence

from ingest.config.settings import Settings
from ingest.core.fields import Schema
from ingest.core.ids import template_name
from ingest.core.model import ExitCode, Intake, Problem
from ingest.edge.elasticsearch.index_templates import open_templates
from ingest.edge.kafka.rights import DESCRIBE_CONFIGS, GROUP, READ, WRITE, Right, topic_rights
from ingest.edge.kafka.topics import Topic, open_topics

SET_UP = "Run `perflog setup`."


def check(settings: Settings, schema: Schema, intakes: Sequence[Intake], group: str) -> None:
    """Raise `Problem` if a worker of this group could not work.

    (78) if a topic is missing or lacks append time, or a template is not of this schema version; (77) if Kafka denies
    a right that the worker needs, although it may need it much later.
    """
    if not intakes:
        raise Problem(
            f"{settings.path} declares no [[intake]].",
            "Declare one: see deploy/settings.example.toml.",
            ExitCode.CONFIG,
        )
    intake_topics = [intake.topic for intake in intakes]
    dead_letters = [settings.delivery.dead_letter_topic]
    with open_topics(settings.kafka) as cluster:
        cluster.demand(
            [
                *topic_rights(intake_topics, READ, DESCRIBE_CONFIGS),
                *topic_rights(dead_letters, WRITE, DESCRIBE_CONFIGS),
                Right(READ, GROUP, group),
            ]
        )
        _check_topics(cluster.describe([*intake_topics, settings.delivery.dead_letter_topic]), intake_topics, settings)
    with open_templates(settings.elasticsearch) as templates:
        _check_templates(templates.versions(), schema)


def _check_topics(topics: Mapping[str, Topic], intake_topics: Sequence[str], settings: Settings) -> None:
    for name in [*intake_topics, settings.delivery.dead_letter_topic]:
        if name not in topics:
            raise Problem(f"There is no topic {name} in Kafka.", SET_UP, ExitCode.CONFIG)
    for name in intake_topics:
        if not topics[name].append_time:
            why = "with the shippers' own timestamps, old records are deleted unread and record time cannot be trusted"
            raise Problem(
                f"Topic {name} is not set to message.timestamp.type=LogAppendTime: {why}.", SET_UP, ExitCode.CONFIG
            )


def _check_templates(versions: Mapping[str, int], schema: Schema) -> None:
    for kind in schema.kinds:
        if kind not in versions:
            raise Problem(
                f"There is no index template {template_name(kind)} in Elasticsearch.", SET_UP, ExitCode.CONFIG
            )
        if versions[kind] != schema.version:
            versions_differ = f"is of schema version {versions[kind]}, this worker of {schema.version}"
            fault = f"The index template {template_name(kind)} {versions_differ}."
            raise Problem(
                fault, f"{SET_UP} If it is newer than this worker, install the newer perflog.", ExitCode.CONFIG
            )


def demand_rights(settings: Settings, rights: Sequence[Right]) -> None:
    """Raise `Problem` if Kafka denies one of these rights (77), or refuses this client for good (77, 78).

    A Kafka that does not answer is left to what comes next, which waits or says so.
    """
    try:
        with open_topics(settings.kafka) as cluster:
            cluster.demand(rights)
    except Problem as problem:
        if problem.exit_code != ExitCode.UNAVAILABLE:
            raise


def demand_template(settings: Settings, schema: Schema, kind: str) -> None:
    """Raise `Problem` (78) if a kind has no current index template.

    Without one, the first document would create an index with undeclared fields.
    """
    with open_templates(settings.elasticsearch) as templates:
        version = templates.versions().get(kind)
    if version != schema.version:
        fault = "is not there" if version is None else f"is of schema version {version}, not {schema.version}"
        raise Problem(f"The index template {template_name(kind)} {fault}.", "Run `perflog setup`.", ExitCode.CONFIG)
