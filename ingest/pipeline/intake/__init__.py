"""Sends records to Kafka.

ship     files, with their manifests
paced    records at a rate
"""
