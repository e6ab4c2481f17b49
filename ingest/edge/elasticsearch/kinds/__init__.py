"""Readers of single kinds of documents.

transfers    facts of kind transfers, and the states of transfers that are due
movements    what follows from them
"""
