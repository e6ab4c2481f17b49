"""Create a new source: the files of a folder that works at once, with comments that teach. Returns text only."""

import re

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

_GRAMMAR = r"""// The lines that @NAME@ prints:
//
//   2026-03-04T19:20:05.250Z @NAME@ 1084664 copy start
//
// This is a Lark grammar. Lower-case names are rules, upper-case names are terminals (regular expressions). A terminal
// that begins with `_` is a separator and is dropped; any other is a value that source.toml can map to a field. `[X]`
// is optional, `(X)*` may repeat. Keep the grammar regular (no recursive rule): it is then compiled into one
// expression, fifty times as fast. A terminal must not match text that the next one needs: it does not backtrack.

start: STAMP _BLANK TAG _BLANK RUN _BLANK STAGE _BLANK ROLE

STAMP: /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})/
TAG: "@NAME@"
RUN: /[^\s\x00-\x1f]+/
STAGE: /[A-Za-z0-9_.-]+/
ROLE: /start|end/
_BLANK: /[ \t]+/
"""

_HEAD = """# The format of @NAME@'s output, and its meaning. `perflog explain` shows it by line; `perflog source check`
# compares it with samples.json, and `perflog source accept @NAME@` rewrites that file. If a change alters any
# document, raise `revision`: stored documents are then corrected, and none is added.
revision = 1
summary = "@NAME@: what it prints, in one sentence for README"
kind = "marks"                                   # a kind of grammars/fields.toml: marks, network
"""

_TEXT_TOML = (
    _HEAD
    + """reader = "grammar"                               # grammar.lark; or json
framing = "line"                                 # or `message`: a block of lines, framed by the shipper
identity = ["facility", "bytes", "ordinal"]      # these recognise duplicates; or fields, e.g. a run's id
max_bytes = 65536

# A log also has lines of other programs. With a gate, they are ignored and counted; without, each one is a reject.
[gate]
keeps = ["@NAME@ "]                              # a line that contains this is never ignored
torn_after = "STAMP"                             # a line that ends after this is torn
tag = "TAG"                                      # one letter off: damaged; another word: another program

# Terminal -> field. All fields are listed in grammars/fields.toml; `as` is a conversion: text,
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

# How `perflog explain` describes the terminals.
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
framing = "message"                              # a .json file is one document, a .jsonl file has one per line
identity = ["facility", "bytes", "ordinal"]      # these recognise duplicates; or fields, e.g. a run's id
max_bytes = 1048576

# Dotted path -> field; the first path that is present counts. All fields are listed in grammars/fields.toml; `as` is a
# conversion: text, integer, number, time, duration_s, boolean, basename, …
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
