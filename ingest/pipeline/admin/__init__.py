"""Setting up the servers, and the inventory.

setup        topics, templates, new fields; whether a replay is due
inventory    hosts and expected tests, imported
"""
