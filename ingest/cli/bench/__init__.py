"""`perflog bench`: how fast parsing, indexing, deriving and replaying are on this machine.

bench index derive replay   what is measured
harness                     measured ways, a worker apart
baselines                   the same work without the pipeline
"""
