"""Readers of single kinds of documents.

inventory    hosts and expected tests, and which of them were seen
"""
