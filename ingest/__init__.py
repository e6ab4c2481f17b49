"""perflog: workflow stage timings beside the network that carried them.

cli          the command line
pipeline     what perflog does: from Kafka to Elasticsearch with the commit last
synthetic    lines and results of known truth
edge         one package a system
config       settings; telemetry: every counter's name and meaning
core         pure: bytes in, documents out
"""
