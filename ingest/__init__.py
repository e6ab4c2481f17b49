"""perflog: what a workflow and its network write about themselves, from a file to an answer.

Nouns know, verbs do, services touch. The map of the house, from the door to the cellar; a room may look down, never up:

    cli/          the door: subcommands, words, exit codes
    run/          the loops: read, flow, write, ledger, commit last
    synthetic/    lines and perfSONAR results made up, with known truth; results are marked so
    edge/         the world, one module a service: kafka, elasticsearch, kibana, files, the local stack
    config/load.py     settings from one TOML file; alone reads the environment
    telemetry.py  what is counted, each name once, with its meaning
    core/         pure: same input, same documents; no clock, no socket, no logger, no environment

What perflog knows of a format lies in `grammars/<source>/`, what it knows of a field in `grammars/fields.toml`.
"""
