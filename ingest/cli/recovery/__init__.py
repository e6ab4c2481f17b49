"""Commands for dead letters and for stored lines that are read again.

dlq replay              one command each
dlq_text replay_text    for people
dlq_json                for machines
"""
