"""Stored lines that are read again.

stored_line    a line and the documents that were made of it, as a header tells them
corrections    what a new reading corrects and retracts
diff           two readings, compared by field
"""
