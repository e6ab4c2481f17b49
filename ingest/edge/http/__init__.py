"""HTTP to other services.

fetch    a document at an address, within limits
"""
