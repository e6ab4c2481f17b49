"""Stored lines, read again.

lines prefetch    put together from their documents, fetched ahead
resend orphans    sent again; marks that no line tells of any more
shadow            compared only
"""
