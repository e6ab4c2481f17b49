"""Decode one message into documents, rejects, or ignored.

decoder              the whole of it behind one call; registry: the sources that there are
pieces bodies        elements, lines and blocks of a message; the body of a fact
interpret workflow_lines key_values    a record -> the fields of its documents
glued rejects furthest   several lines in one; what is said when no document comes of a message, and for which source
fast_path fast_template fast_routing   plain lines, by templates that the slow path makes
"""
