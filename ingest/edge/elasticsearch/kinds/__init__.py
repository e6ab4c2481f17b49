"""Readers of single kinds of documents.

transfers    facts of kind transfers, and the states of transfers that are due
movements    what follows from them
inventory    hosts and expected tests, and which of them were seen
"""
