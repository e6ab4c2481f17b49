"""Elasticsearch: templates, bulk requests, single documents. Knows the client; nothing else in the house does."""
