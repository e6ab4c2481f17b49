"""Results of perfSONAR, of known truth.

path schedule                  how a path behaves; when tests run
pscheduler throughput delay trace    the results
"""
