"""Kafka through kafka-python.

client topics rights           configuration and errors; topics and their settings; rights by name
connections                    clients that keep why a connection failed
brokers                        a package: which broker answers, and why another does not
consumer rebalance record_batches stuck    a worker's membership in its group
fetch offsets                  records by their coordinates; committed offsets of groups
producer                       records acknowledged one by one
internals                      private parts of kafka-python, checked before they are used
"""
