"""A batch on its way: indexed, dead-lettered, retracted.

context        what it is written with
indexer        actions to Elasticsearch, rejects to the dead letters
retraction     what a corrected line made before
reject_limit   too many rejects: stop
"""
