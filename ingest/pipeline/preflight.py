"""What must be there before a worker or an evaluation starts: topics, templates of its schema version."""

from collections.abc import Mapping, Sequence

from ingest.config.settings import Settings
from ingest.core.fields import Schema
from ingest.core.model import Intake, Problem
from ingest.edge.elasticsearch.index_templates import open_templates
from ingest.edge.kafka.topics import Topic, open_topics

SET_UP = "Run `perflog setup`."


def check(settings: Settings, schema: Schema, intakes: Sequence[Intake]) -> None:
    """Refuse (78) to start without topics of append time, or without templates of this schema version."""
    if not intakes:
        raise Problem(f"{settings.path} declares no [[intake]].", "Declare one: see deploy/settings.example.toml.", 78)
    wanted = [intake.topic for intake in intakes]
    with open_topics(settings.kafka) as cluster:
        _check_topics(cluster.described([*wanted, settings.delivery.dead_letter_topic]), wanted, settings)
    with open_templates(settings.elasticsearch) as known:
        _check_templates(known.versions(), schema)


def _check_topics(there: Mapping[str, Topic], wanted: Sequence[str], settings: Settings) -> None:
    for name in [*wanted, settings.delivery.dead_letter_topic]:
        if name not in there:
            raise Problem(f"There is no topic {name} in Kafka.", SET_UP, 78)
    for name in wanted:
        if not there[name].append_time:
            why = "with the shippers' own time, old records are deleted unread and record time is not to be trusted"
            raise Problem(f"Topic {name} is not set to message.timestamp.type=LogAppendTime: {why}.", SET_UP, 78)


def _check_templates(there: Mapping[str, int], schema: Schema) -> None:
    for kind in schema.kinds:
        if kind not in there:
            raise Problem(f"There is no index template perf-{kind} in Elasticsearch.", SET_UP, 78)
        if there[kind] != schema.version:
            found = (
                f"The index template perf-{kind} is of schema version {there[kind]}, this worker of {schema.version}."
            )
            raise Problem(found, f"{SET_UP} If it is newer than this worker, install the newer perflog.", 78)


def demand_template(settings: Settings, schema: Schema, kind: str) -> None:
    """Refuse (78) to write a kind without its template: the first document would make an index of undeclared fields."""
    with open_templates(settings.elasticsearch) as known:
        found = known.versions().get(kind)
    if found != schema.version:
        there = "is not there" if found is None else f"is of schema version {found}, not {schema.version}"
        raise Problem(f"The index template perf-{kind} {there}.", "Run `perflog setup`.", 78)
