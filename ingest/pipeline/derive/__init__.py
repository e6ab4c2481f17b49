"""Keeps derived documents correct: when new marks arrive, and as time passes.

deriver                      stages and runs of what was indexed
run_state file_state transfer_state   the documents that hold the state
sweeper gap_sweeper movement_sweeper pending  applies time to runs; finds missing bytes and movements; crash-safe
sweep_service                the sweeper, wired
workflow_templates           templates of workflows, learned and stored
"""
