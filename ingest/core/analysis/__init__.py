"""Questions over decoded lines and stored runs.

offline              lines of files -> their runs, as if stored
compare figures      two runs, stage by stage; a run in figures
waterfall time_axis printed_zones    a run as rows of bars; in which zone times are written
learning script_changes              templates of workflows; edits of scripts
network_window       what the network did in a span of time
"""
