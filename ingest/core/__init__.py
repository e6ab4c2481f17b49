"""The pure core: bytes in, documents, rejects and ignored lines out.

Same input, same documents. Nothing here has a clock, a socket, a logger or an environment; times are arguments.

    model.py      what passes between the rooms; imports nothing of ours
    clock.py      stamps, zones, durations, epochs -> UTC
    fields.py     fields.toml -> types and mappings
    ids.py        identity, version, index name
    sources.py    a source: its folder, read and checked
    parse.py      bytes -> Record; alone imports lark
    convert.py    one captured value -> the fields it stands for
    interpret.py  Record -> document body
    network.py    what perfSONAR results need beyond tables: histograms, hops
    runs.py       a run's marks -> its stages
    flow.py       composes them: one message -> its outcomes
"""
