"""What perflog does: from Kafka to Elasticsearch with the commit last. Retry and backoff stand in sink/retry only.

preflight signals    what must be there before a start; how a stop is asked for
sink/                writes that lose nothing
batch/ derive/       a batch on its way; derived documents, kept true
intake/              files into Kafka
worker/              the worker: poll, decode, index, commit
replay/ deadletters/ alerts/ admin/    other jobs
"""
