"""The command line: parses options, calls the pipeline or the core, prints; errors become messages and exit codes.

main              the commands and their groups
options console format verdicts zone_faults_text   shared by several groups
sources/          read a line, explain it, lint a script, write a source
runs/             runs and their stages; analysis of files without servers
transfers/        what moved, between whom, how fast
pipeline/         demo, stack, setup, generate, ship, run, sweep
monitoring/       alerts, gaps, workflows, dashboards
recovery/         dead letters and replay
bench/            performance on this machine
"""
