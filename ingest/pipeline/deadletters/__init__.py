"""Rejected records: inspected, replayed, purged.

inspect    counts of what broke, and the bytes
replay     sends records to their intake topics again
purge      deletes rejects and dead letters
reread     what a record would become now
"""
