"""Refused records: looked at, replayed, purged.

inspect    what broke how often, and the bytes
replay     into their intake topics again
purge      taken out
reread     what a record would become now
"""
