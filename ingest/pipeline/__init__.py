"""Everything perflog does, from Kafka to Elasticsearch with the offset commit last. Only sink/retry retries.

preflight signals    what must be there before a start; how a stop is asked for
sink/                writes that lose nothing
batch/ derive/       a batch on its way; derived documents, kept true
intake/              files into Kafka
worker/              the worker: poll, decode, index, commit
replay/ deadletters/ alerts/ admin/    other jobs
"""
