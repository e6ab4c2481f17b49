"""Kibana's HTTP API.

client     sends requests
answers    turns responses into messages for people
"""
