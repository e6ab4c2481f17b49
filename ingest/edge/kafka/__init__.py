"""Kafka through kafka-python.

client bootstrap topics rights    configuration and errors; a broker that answers; topics; rights by name
connections failures listener  connections; why one failed, in words; what a port speaks
consumer rebalance record_batches stuck    a worker's membership in its group
fetch offsets                  records by their coordinates; committed offsets of groups
producer                       records acknowledged one by one
internals                      private parts of kafka-python, checked before they are used
"""
