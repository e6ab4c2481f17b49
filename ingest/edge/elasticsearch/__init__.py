"""Elasticsearch through its client.

client query                   connections; what all queries share
store documents                bulk requests; single documents by compare-and-swap
index_templates                templates and mappings
states facts rejects runs files alerts workflows ledger    by kind of document
"""
