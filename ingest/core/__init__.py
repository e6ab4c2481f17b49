"""The pure core: bytes in, documents, rejects and ignored lines out.

Same input, same documents. Nothing here has a clock, a socket, a logger or an environment; times are arguments.

    model.py      what passes between the rooms; imports nothing of ours
    clock.py      stamps, zones, durations, epochs -> UTC
    daylight.py   which abbreviation of a zone belongs to a date
    fields.py     fields.toml -> types and mappings
    ids.py        identity, version, index name
    convert.py    one captured value -> the value of its field
    regular.py    a regular grammar -> one expression
    parse.py      bytes -> Record; alone imports lark
    sources.py    a source: its folder, read and checked
    turn.py       one document in the making, and the refusal that ends it
    marks.py      workflow lines: instant, stamp, stage
    pairs.py      lines of name=value pairs: one event each
    shapes.py     the shapes in which pScheduler's results travel -> network.py, a run; its ends: run_ends.py;
                  by type of test throughput.py delay.py route.py others.py;
                  all on transport.py histogram.py endpoint.py tolerant.py flattened.py
    iperf3.py     tools' own output: iperf3_text.py owping.py owping_machine.py ping.py; repair.py mends iperf3's JSON
    interpret.py  Record -> the fields of its documents
    wrappers.py   a forwarder's wrapper -> the message inside, and where it came from
    bounds.py     what one message may become: depth, pieces, bytes
    pieces.py     a message -> its pieces: elements of an array, lines, blocks
    bodies.py     the body of a fact: fields, bytes, identity
    glued.py      several lines in one -> where each begins
    verdicts.py   what is said of a message that no document came of
    flow.py       one message -> its outcomes: composes all of the above
    formers.py    a stored line that is read again: what of it no longer follows
    differences.py  two readings of stored lines, compared by field
    actions.py    what is asked of Elasticsearch's bulk API, as text
    templates.py  what plain lines share, and the caches around it
    quick.py      the short way for plain lines, from templates that the general way makes
    ways.py       which way the lines of an origin take

    reject_shape.py  a reject -> what all that broke in the same way share
    framing.py    a file's bytes -> messages
    outcome.py    outcomes as rows of JSON
    samples.py    what a source's own samples become
    explain.py    why a message became that: feeds.py (token -> field) nearest.py (accepted forms) words.py
    lint.py       what lines cost in information, by lint_rules.py; zone_faults.py: hosts whose zone is wrong
    catalogue.py  what there is to know of a source, and README's table
    template.py   the files of a new source
    runs.py       the set of a run's marks, the watermark -> its instances, stages and times, its state:
                  runmarks.py the set; instances.py ends.py stages.py parts.py the steps
    gathering.py  facts of a batch -> marks by run, and what was heard of each writer: watermark.py
    ranges.py     which bytes of a file were received; manifest.py how large it is, as its shipper says
    filestate.py  what is kept of a file (filebody.py: as a document) -> gaps.py what is surely missing of it
    derive.py     what is kept of a run (runstate.py) -> its documents (rundocs.py) and tombstones
    storedruns.py  these documents, read again
    analysis.py   lines of files -> their runs, as if stored; printed_zones.py run_figures.py for its tables
    waterfall.py  a run as rows of bars on one axis: time_axis.py
    comparing.py  two runs, stage by stage
    workflow.py   the template of a workflow: its variants' stages, seconds, tails; learning.py learns it from runs;
                  completeness.py holds a run against it
    script_changes.py  edits of scripts, told by the line numbers that marks name
    rules.py      alarm rules as data; slow.py a stage judged by those before it; outliers.py all of some runs;
                  incidents.py what is told once: incident_docs.py as documents, alarm_words.py in words
    beside.py     what the network did in a span of time
    board.py      a board as data; boards.py compiles it to Kibana's saved objects:
                  lens.py saved_objects.py, checked by board_checks.py board_fields.py
"""
