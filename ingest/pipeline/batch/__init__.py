"""Writes one batch: index documents, write dead letters, retract corrected documents.

context        what it is written with
indexer        actions to Elasticsearch, rejects to the dead letters
retraction     what a corrected line made before
reject_limit   too many rejects: stop
"""
