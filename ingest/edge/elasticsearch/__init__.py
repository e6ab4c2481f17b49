"""Elasticsearch through its client.

client                         connections, and sessions whose errors are ours
query search                   clauses and queries; searches, counts, aggregations
store documents                bulk requests; single documents by compare-and-swap
index_templates                templates and mappings
states facts rejects runs files alerts workflows ledger kinds    by kind of document
"""
