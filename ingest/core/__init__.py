"""The pure core: bytes in, documents, rejects and ignored lines out.

Same input, same documents. Nothing here has a clock, a socket, a logger or an environment; times are arguments.

    model.py      what passes between the rooms; imports nothing of ours
    clock.py      stamps, zones, durations, epochs -> UTC
    fields.py     fields.toml -> types and mappings
    ids.py        identity, version, index name
    convert.py    one captured value -> the value of its field
    regular.py    a regular grammar -> one expression
    parse.py      bytes -> Record; alone imports lark
    sources.py    a source: its folder, read and checked
    turn.py       one document in the making, and the refusal that ends it
    marks.py      workflow lines: instant, stamp, stage
    shapes.py     the shapes in which pScheduler's results travel -> network.py, a run; its ends: run_ends.py;
                  by type of test throughput.py delay.py route.py others.py;
                  all on histogram.py endpoint.py tolerant.py flattened.py
    iperf3.py     tools' own output: iperf3_text.py owping.py owping_machine.py ping.py; repair.py mends iperf3's JSON
    interpret.py  Record -> the fields of its documents
    flow.py       one message -> its outcomes: composes all of the above

    framing.py    a file's bytes -> messages
    outcome.py    outcomes as rows of JSON
    samples.py    what a source's own samples become
    runs.py       a run's marks -> its timeline
    beside.py     what the network did in a span of time
    boards.py     a board as data -> Kibana's saved objects: lens.py saved_objects.py
"""
