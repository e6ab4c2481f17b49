"""The prefix that a syslog daemon writes before each line: where it ends, and the host that it names.

Whether lines have one is declared by the intake and never sniffed. What is behind the prefix is a piece of the message:
its identity, event.original and position are those of the same line without a prefix. The prefix stays in Kafka.

    RFC 3164    <13>Feb  5 21:39:37 node-17 perf[42]: LINE    the priority, the tag and its number are optional; so do
                                                              daemons write whose time is 2016-02-05T21:39:37.1-08:00
    RFC 5424    <13>1 2016-02-05T21:39:37.1-08:00 node-17 perf 42 - [id name="value"] LINE
"""

import re
from typing import NamedTuple

NONE, SYSLOG = "none", "syslog"
PREFIXES = (NONE, SYSLOG)
_ISO = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_MONTHS = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_BSD = _MONTHS + rb" {1,2}[0-9]{1,2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
_NAME = rb'[^ =\]"\x00-\x1f]{1,255}+'
_ELEMENT = rb"\[" + _NAME + rb"(?: ++" + _NAME + rb'="(?:[^"\\\n]++|\\.)*+")*+ *+\]'
_WORD = rb"[!-~]{1,255}+"
_HEAD = rb"[0-9]{1,2} (?:-|" + _ISO + rb") (?P<new>" + _WORD + rb")(?: " + _WORD + rb"){3} "
_NEW = _HEAD + rb"(?:-|(?:" + _ELEMENT + rb")++)(?: |$)"
# A tag ends in a colon that a blank follows, or has a number: what else has colons is the beginning of the line.
_TAG = rb"""[^ :\[\]{}"'=,\x00-\x1f]{1,128}+(?:\[[^ \]\x00-\x1f]{0,64}+\]:|:(?= |$))"""
_OLD = rb"(?:" + _BSD + rb"|" + _ISO + rb") (?P<old>" + _WORD + rb")(?: ++" + _TAG + rb")?+ ?"
SYSLOG_PREFIX = re.compile(rb"(?:\xef\xbb\xbf)?\s*+(?:<[0-9]{1,3}>)?(?:" + _NEW + rb"(?:\xef\xbb\xbf)?|" + _OLD + rb")")
_UNKNOWN = "-"


class Prefix(NamedTuple):
    """How many bytes of a line its prefix has, and the host that it names."""

    size_bytes: int
    host: str | None


def syslog_prefix(data: bytes) -> Prefix | None:
    """The syslog prefix that a line begins with; None if it has none."""
    match = SYSLOG_PREFIX.match(data)
    if match is None:
        return None
    host = (match["new"] or match["old"]).decode("ascii")
    return Prefix(match.end(), None if host == _UNKNOWN else host)
