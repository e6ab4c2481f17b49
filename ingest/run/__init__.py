"""The loops: set up, ship, and Kafka to Elasticsearch with the commit last. Retry and backoff stand here only.

session.py     opening a worker; refuses where a later failure is certain; headers.py what shippers tell
worker.py      the loop: polls, reads, hands on, keeps the books; never waits for Elasticsearch
hand.py      what was polled and not yet handed on
reading.py   records -> actions; the hottest loop; placing.py where records lie in their files
outfit.py    what workers and the sweeper write with, from the settings
crew.py      threads that ask Elasticsearch meanwhile
batch.py     a batch on its way: writing.py patience.py meaning.py refusals.py stop_limit.py
deriving.py  stages and runs of what was answered: cells.py file_cells.py (documents) swapping.py (bulk swaps)
sweeping.py  what time makes of runs; gap_sweeping.py what is missing of files; both on owing.py
hold.py      what is held of a partition: which offsets are settled, contiguous from what is committed
books.py     ledger, then commit: ledger.py count.py
drained.py   whether all is caught up
group.py       several workers under one roof
setup.py shipping.py knowledge.py
"""
