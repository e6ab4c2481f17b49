"""What setup chooses for new topics, and what it says of those that exist."""

import json
from dataclasses import replace

import pytest

from ingest.config.settings import Kafka
from ingest.core.model import ExitCode, Problem
from ingest.edge.kafka.topics import Replication, Topics, open_topics
from ingest.pipeline.admin.setup import replication_for, set_up
from tests.support.cli import perflog
from tests.support.world import World


@pytest.mark.parametrize(
    ("brokers", "factor", "in_sync", "kept"),
    [
        (1, None, None, Replication(1, 1)),
        (2, None, None, Replication(2, 1)),
        (3, None, None, Replication(3, 2)),
        (9, None, None, Replication(3, 2)),
        (9, 5, None, Replication(5, 2)),
        (9, 5, 4, Replication(5, 4)),
        (3, 1, None, Replication(1, 1)),
        (1, 3, None, Replication(3, 2)),
        (2, None, 2, Replication(2, 2)),
        (1, None, 2, Replication(1, 1)),
    ],
)
def test_a_topic_is_kept_as_the_settings_say_else_as_the_cluster_can(
    brokers: int, factor: int | None, in_sync: int | None, kept: Replication
) -> None:
    """Three copies, two of them written before a record is acknowledged; as many as brokers where they are fewer."""
    assert replication_for(brokers, Kafka(replication_factor=factor, min_insync_replicas=in_sync)) == kept


@pytest.mark.stack
def test_setup_says_how_topics_are_kept(world: World) -> None:
    """One broker: one copy, no warning. The second time it says what it would choose now, and changes nothing."""
    schema = world.knowledge.schema
    first = set_up(world.settings, schema)
    demanding = replace(world.settings, kafka=replace(world.settings.kafka, replication_factor=3))
    second = set_up(demanding, schema)

    created, unchanged = (
        {step.name: (step.done, step.detail) for step in report.steps if step.what == "topic"}
        for report in (first, second)
    )
    kept = "2 partitions, replication factor 1, min.insync.replicas 1"
    assert created[world.topic] == ("created", kept)
    assert unchanged[world.topic] == ("unchanged", f"{kept} (a new topic would have 3 and 2; setup changes neither)")
    assert first.warnings == second.warnings == []
    with open_topics(world.settings.kafka) as cluster:
        assert cluster.describe([world.topic])[world.topic].replication == Replication(1, 1)


@pytest.mark.stack
def test_more_copies_than_brokers_are_refused(world: World) -> None:
    """The topic, the copies, the brokers, and the key to change; exit code 78, and no topic is made."""
    demanding = replace(world.settings, kafka=replace(world.settings.kafka, replication_factor=2))
    with pytest.raises(Problem) as caught:
        set_up(demanding, world.knowledge.schema)

    assert caught.value.exit_code == ExitCode.CONFIG
    assert f"2 copies of topic {world.topic}: its brokers are 1" in caught.value.message
    assert "kafka.replication_factor" in caught.value.remedy
    with open_topics(world.settings.kafka) as cluster:
        assert cluster.describe([world.topic]) == {}


@pytest.mark.stack
def test_one_copy_on_several_brokers_is_a_warning(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr, for each topic, whether setup made it or found it; the steps on stdout stay as they are."""
    monkeypatch.setattr(Topics, "count_brokers", lambda _: 3)
    text = world.settings_text(world.stack.elasticsearch).replace("[kafka]", "[kafka]\nreplication_factor = 1")
    world.settings_file.write_text(text)
    for _ in range(2):
        done = perflog("--config", str(world.settings_file), "setup", "--json")

        assert done.returncode == 0
        warnings = done.stderr.decode().splitlines()
        assert [line.split(":")[0] for line in warnings] == ["perflog", "perflog"]
        assert f"Topic {world.topic} is kept by one of 3 brokers only" in warnings[0]
        topics = [step for step in json.loads(done.stdout) if step["what"] == "topic"]
        assert all("replication factor 1, min.insync.replicas 1" in step["detail"] for step in topics)
