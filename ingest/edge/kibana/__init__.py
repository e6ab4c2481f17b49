"""Kibana's HTTP API.

client     asks
answers    what its answers mean
"""
