"""Analyses of decoded lines and stored runs.

offline              lines of files -> their runs, as if stored
compare figures      two runs, stage by stage; the key figures of a run
waterfall time_axis printed_zones    a run as rows of bars; the time zones that a run's lines were printed in
learning script_changes              templates of workflows; edits of scripts
network_window       the network's state in a time span
"""
