"""Writes to Elasticsearch that lose nothing.

bulk_writer    bulk requests until every item has its answer
cas            documents updated by compare-and-swap
retry          how long is waited, and for what
wiring         store, writers, retry policy and clock, from the settings
"""
