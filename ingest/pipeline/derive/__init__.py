"""Keeps derived documents true: on new marks, and as time passes.

deriver                      stages and runs of what was indexed
run_state file_state         the documents that hold the state
sweeper gap_sweeper pending  what time makes of runs; what is missing of files; a crash-safe order of writes
sweep_service                the sweeper, wired
workflow_templates           templates of workflows, learnt and kept
"""
