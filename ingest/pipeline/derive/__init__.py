"""Keeps derived documents correct: when new marks arrive, and as time passes.

deriver                      stages and runs of what was indexed
run_state file_state         the documents that hold the state
sweeper gap_sweeper pending  applies time to runs; finds bytes missing from files; writes results crash-safely
sweep_service                the sweeper, wired
workflow_templates           templates of workflows, learned and stored
"""
