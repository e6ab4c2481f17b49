"""Reading stored lines again.

lines prefetch    puts lines together from their documents; fetches pages ahead
resend orphans    sends lines again; removes marks that belong to another run by now
shadow            compares only
"""
