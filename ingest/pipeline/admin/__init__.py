"""Setting up the servers.

setup    topics, templates, new fields; whether a replay is due
"""
