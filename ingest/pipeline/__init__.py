"""Everything perflog does, from Kafka to Elasticsearch with the offset commit last. Only sink/retry retries.

preflight signals    checks before a start; stop on SIGTERM and SIGINT
sink/                writes without loss
batch/ derive/       a batch in flight; derived documents, kept correct
intake/              files into Kafka
worker/              the worker: poll, decode, index, commit
replay/ deadletters/ alerts/ admin/    other jobs
"""
