"""`perflog bench`: the speed of parsing, indexing, deriving and replaying on this machine.

bench index derive replay   the benchmarks
harness                     measurements, each worker in its own process
baselines                   the same work without the pipeline
"""
