"""Kafka through kafka-python.

client bootstrap topics        connections, to brokers that answer; topics and their settings
consumer rebalance record_batches stuck    a worker's membership in its group
fetch offsets                  records by their coordinates; committed offsets of groups
producer                       records acknowledged one by one
internals                      private parts of kafka-python, checked before they are used
"""
