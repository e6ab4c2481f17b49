"""A Kafka broker and an Elasticsearch node on this machine, run from their own jars.

stack state plan       up and down; what runs; what to start
service processes checks    a server as a process
kafka_broker elasticsearch_node    the two servers
jars maven java        where their jars and a JDK come from
"""
