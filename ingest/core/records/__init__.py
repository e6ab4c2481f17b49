"""Kafka records -> bulk actions; outcomes of records, counted.

headers positions                what shippers tell; which bytes of which file records are
record_decoder decoded reread    records -> actions; what stored lines become when they are read again
outcomes updates                 what became of records; what runs, writers and files learn from a batch
dead_letter reject_shape         rejects on their way out; what rejects of one kind share
"""
