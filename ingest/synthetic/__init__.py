"""Lines and results of known truth, marked so.

network/     results of perfSONAR
workload/    lines of workflows
"""
