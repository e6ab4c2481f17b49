"""Stored lines that are read again.

stored_line    a line and the documents made of it, as its header lists them
corrections    what a new reading corrects and retracts
diff           two readings, compared by field
"""
