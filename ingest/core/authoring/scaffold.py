"""Create a new source: the files of a folder that works at once, with comments that teach. Returns text only."""

import re

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

_GRAMMAR = r"""// What @NAME@ prints, a line each:
//
//   2026-03-04T19:20:05.250Z @NAME@ 1084664 copy start
//
// The language is Lark's. Small letters name rules, capitals name terminals (regular expressions); a terminal that
// begins with `_` separates and is not kept, every other is a value that source.toml can put into a field. `[X]` may be
// missing, `(X)*` may repeat. Keep it regular (no rule that calls itself) and it is compiled into one expression, fifty
// times as fast. Let no terminal take what the next one needs: each takes what it can get and never gives back.

start: STAMP _BLANK TAG _BLANK RUN _BLANK STAGE _BLANK ROLE

STAMP: /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})/
TAG: "@NAME@"
RUN: /[^\s\x00-\x1f]+/
STAGE: /[A-Za-z0-9_.-]+/
ROLE: /start|end/
_BLANK: /[ \t]+/
"""

_HEAD = """# What @NAME@ writes, and what that means. `perflog explain` shows it line by line; `perflog source check`
# holds it to samples.json, and `perflog source accept @NAME@` writes that anew. A change that alters any document
# raises `revision`: documents already stored are then corrected, none is added.
revision = 1
summary = "@NAME@: what it prints, in one sentence for README"
kind = "marks"                                   # a kind of grammars/fields.toml: marks, network
"""

_TEXT_TOML = (
    _HEAD
    + """reader = "grammar"                               # grammar.lark; or json
framing = "line"                                 # or `message`: a block of lines, framed by the shipper
identity = ["facility", "bytes", "ordinal"]      # the same again is recognised by these; or fields, e.g. a run's id
max_bytes = 65536

# A log holds other people's lines. With a gate, those are ignored and counted; without, every one is a reject.
[gate]
keeps = ["@NAME@ "]                              # a line that holds this is never ignored
torn_after = "STAMP"                             # this much and then the end: a torn line of ours
tag = "TAG"                                      # one letter off: damaged; another word: not ours

# Terminal -> field. The fields stand in grammars/fields.toml, the only list of them; `as` is a conversion: text,
# integer, number, time, duration_s, boolean, basename, …
[[read]]
field = "@timestamp"
from = ["STAMP"]
as = "time"

[[read]]
field = "perf.run.id"
from = ["RUN"]
as = "text"

[[read]]
field = "perf.stage.name"
from = ["STAGE"]
as = "text"

[[read]]
field = "perf.mark.role"                         # start, end, queued, work or other: stages are timed by it
from = ["ROLE"]
as = "text"

# What `perflog explain` calls the terminals, for people.
[describe]
STAMP = "date and time as 2026-03-04T19:20:05.250Z"
TAG = "the word @NAME@"
RUN = "run id: anything without blanks"
STAGE = "name of the stage"
ROLE = "start or end"
_BLANK = "blank"
"""
)

_JSON_TOML = (
    _HEAD
    + """reader = "json"                                  # or grammar, with a grammar.lark
framing = "message"                              # a .json file is one document, a .jsonl file one a line
identity = ["facility", "bytes", "ordinal"]      # the same again is recognised by these; or fields, e.g. a run's id
max_bytes = 1048576

# Dotted path -> field; the first path that is there counts. The fields stand in grammars/fields.toml, the only list of
# them; `as` is a conversion: text, integer, number, time, duration_s, boolean, basename, …
[[read]]
field = "@timestamp"
from = ["@NAME@.at"]
as = "time"

[[read]]
field = "perf.run.id"
from = ["@NAME@.run"]
as = "text"

[[read]]
field = "perf.stage.name"
from = ["@NAME@.stage"]
as = "text"

[[read]]
field = "perf.mark.role"                         # start, end, queued, work or other: stages are timed by it
from = ["@NAME@.role"]
as = "text"
"""
)

_SAMPLES = """2026-03-04T19:20:05.250Z @NAME@ 1084664 copy start
2026-03-04T11:21:07-08:00 @NAME@ 1084664 copy end
"""
_REJECTS = """2026-03-04T19:20:05.250Z @NAME@ 1084664 co
2026-03-04T19:20:05.250Z @NAME@ 1084664 copy begin
2026-03-04T19:20:05.250Z somebody else's line, which is ignored
"""
_JSON_SAMPLES = """{"@NAME@":{"at":"2026-03-04T19:20:05.250Z","run":"1084664","stage":"copy","role":"start"}}
{"@NAME@":{"at":"2026-03-04T11:21:07-08:00","run":"1084664","stage":"copy","role":"end"}}
"""
_JSON_REJECTS = """{"@NAME@":{"at":"yesterday","run":"1084664","stage":"copy","role":"start"}}
{"@NAME@":{"run":"1084664","stage":"copy","role":"start"}}
"""

_FILES = {
    "grammar": {
        "grammar.lark": _GRAMMAR,
        "source.toml": _TEXT_TOML,
        "samples.log": _SAMPLES,
        "rejects.log": _REJECTS,
    },
    "json": {"source.toml": _JSON_TOML, "samples.jsonl": _JSON_SAMPLES, "rejects.jsonl": _JSON_REJECTS},
}
READERS = tuple(_FILES)


def files_of(name: str, reader: str) -> dict[str, str]:
    """File name -> text, for a source called `name`; ValueError if the name is not allowed."""
    if NAME.fullmatch(name) is None:
        raise ValueError(f"`{name}` cannot name a source")
    return {file: text.replace("@NAME@", name) for file, text in _FILES[reader].items()}
