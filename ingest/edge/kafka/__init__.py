"""Kafka through kafka-python.

client topics                  connections; topics and their settings
consumer rebalance record_batches stuck    a worker's place in its group
fetch offsets                  records by their coordinates; where groups stand
producer                       records acknowledged one by one
"""
