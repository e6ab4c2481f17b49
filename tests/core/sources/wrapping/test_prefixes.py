"""Where a syslog prefix ends, and which host it names; whatever it is made of, in linear work."""

import re

import pytest

from ingest.core.sources.wrapping import prefixes
from ingest.core.sources.wrapping.prefixes import Prefix, syslog_prefix
from tests.support.regex_steps import match_steps
from tests.support.work import assert_linear

LINES = [
    "Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32:1-2:PERF:A:START_DATE=1454737177",
    "2016-02-05T21:39:37-08:00: submitNormJobs.sh:32:1-2:PERF:A:START_DATE=1454737177",
    "2016-02-05 21:39:37-08:00: submitNormJobs.sh:32:1-2:PERF:A:START_DATE=1454737177",
    "ts=2026-03-04T19:20:05Z event=als.transfer.start",
    "PSJobCompleted TotalElapsed 431 1571269342 1571269773",
    '{"a": 1}',
    "[{}]",
    "",
]
NODE = "node-17"
WITH_HOST = [
    "<13>Feb  5 21:39:37 node-17 perf[42]: ",
    "Feb  5 21:39:37 node-17 perf: ",
    "Feb  5 21:39:37 node-17 ",
    "Feb 05 21:39:37.123 node-17 postfix/smtpd[12]:",
    "Feb 15 21:39:37 node-17 sshd(pam_unix)[7]: ",
    "2016-02-05T21:39:37.123456-08:00 node-17 perf: ",
    "<0>2016-02-06T05:39:37Z node-17 perf[1]: ",
    "<13>1 2016-02-05T21:39:37.1-08:00 node-17 perf 42 - - ",
    "1 2016-02-05T21:39:37.003Z node-17 perf - ID47 - ",
    '<165>1 2016-02-05T21:39:37.1-08:00 node-17 perf 42 ID47 [a@32473 b="c\\]\\"d\\\\" e=""][x] ',
    "<13>1 - node-17 - - - - \ufeff",
    "\ufeffFeb  5 21:39:37 node-17 perf: ",
]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("prefix", WITH_HOST)
def test_what_is_behind_a_prefix_is_the_line(prefix: str, line: str) -> None:
    """RFC 3164 and RFC 5424, with and without priority, tag, number, structured data and BOM."""
    assert syslog_prefix((prefix + line).encode()) == Prefix(len(prefix.encode()), NODE)


def test_a_nil_host_is_no_host() -> None:
    """Every value of RFC 5424 may be `-`."""
    assert syslog_prefix(b"<34>1 - - - - - - line") == Prefix(18, None)


@pytest.mark.parametrize("line", LINES)
def test_a_line_without_a_prefix_has_none(line: str) -> None:
    """Nor have parts of a prefix."""
    assert syslog_prefix(line.encode()) is None


@pytest.mark.parametrize(
    "text", ["<13>", "<13>1 ", "Feb  5 21:39:37", "eb  5 21:39:37 h t: x", "<13>1 2016-02-05T21:39:37Z h a p m [x"]
)
def test_a_torn_prefix_is_none(text: str) -> None:
    """The line behind it cannot be told from it."""
    assert syslog_prefix(text.encode()) is None


@pytest.mark.parametrize(
    ("begin", "filler"),
    [
        ("<13>1 - - - - - ", "[a "),
        ("<13>1 - - - - - ", "[a]"),
        ('<13>1 - - - - - [a b="', '\\"'),
        ("<13>1 - - - - - [a", ' b="c"'),
        ("<13>1 - - - - - [a", " "),
        ("Feb  5 21:39:37 h ", "a"),
        ("Feb  5 21:39:37 h", " "),
        ("", " "),
    ],
)
def test_a_prefix_takes_linear_work(begin: str, filler: str) -> None:
    """However long its parts are, and whether it ends."""
    pattern = re.compile(prefixes.SYSLOG_PREFIX.pattern.decode("latin-1"))

    assert_linear(lambda count: match_steps(pattern, begin + filler * count), 4000 // len(filler))
