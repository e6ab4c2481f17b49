"""Alarms.

evaluate    rules held against what is stored, and who is told
"""
