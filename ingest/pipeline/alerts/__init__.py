"""Alerts.

evaluate    rules applied to stored stages; incidents written and notified
"""
