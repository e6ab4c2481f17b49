"""The command line: parses options, calls the pipeline or the core, and prints; errors become words and exit codes.

main              the commands and their groups
options console format verdicts zone_faults_text   what several groups share
sources/          read a line, explain it, lint a script, write a source
runs/             runs and their stages; analysis of files without servers
pipeline/         demo, stack, setup, generate, ship, run, sweep
monitoring/       alerts, gaps, workflows, dashboards
recovery/         dead letters and replay
bench/            how fast it is on this machine
"""
