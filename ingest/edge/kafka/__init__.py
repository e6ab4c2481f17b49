"""Kafka: topics, producing, consuming. Knows kafka-python; nothing else in the house does."""
