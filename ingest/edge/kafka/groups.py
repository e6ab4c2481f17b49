"""Where a consumer group stands, asked of the broker by an admin client: the independent count beside the ledger."""

from collections import defaultdict

from kafka.admin import KafkaAdminClient

from ingest.config import Kafka
from ingest.edge.kafka.connect import client_configuration, told_to_people


def committed(kafka: Kafka, group: str) -> dict[str, int]:
    """Topic -> sum of the committed offsets of its partitions."""
    with told_to_people(kafka):
        admin = KafkaAdminClient(**client_configuration(kafka))
        try:
            found = admin.list_group_offsets({group: None}).get(group, {})
        finally:
            admin.close()
    sums: dict[str, int] = defaultdict(int)
    for partition, at in found.items():
        sums[partition.topic] += max(at.offset, 0)
    return dict(sums)
