"""Extracts the reason for a failure from Maven's output, and suggests a remedy."""

import re

from ingest.edge.local.service import telling_line

MOST_CHARACTERS = 400
ARGUMENTS = (
    "-B",
    "-q",
    # Look up artifacts again that were not found last time: the settings may have been corrected since.
    "-U",
    "-Dstyle.color=never",
)
# With the full name: for a mere prefix Maven only says that it found no such plugin, not why.
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ERROR_LINE = re.compile(r"^(?:\[(?:ERROR|FATAL)\] +)+(?!\[Help|To see|Re-run|For more|After correcting)(\S.*)$", re.M)
_POINTER = re.compile(r" -> \[Help \d+\]$")

_SETTINGS = "~/.m2/settings.xml"
_LOOK = f"Look whether Maven Central is reached (a mirror or proxy goes into {_SETTINGS}), then try again."
_TRUST = (
    "If it is your site's own (many a proxy has one), copy it to /usr/local/share/ca-certificates/NAME.crt and run"
    " `update-ca-certificates`, or name a trust store that holds it: MAVEN_OPTS=-Djavax.net.ssl.trustStore=FILE."
)
# The first pattern that matches the reason applies.
_REMEDIES = (
    (
        "PKIX path|certification path|SSLHandshake|[Cc]ertificate",
        f"Java does not trust the certificate of that server. {_TRUST}",
    ),
    (
        "[Uu]nknown host|UnknownHost|Name or service not known|name resolution",
        f"This machine finds no such name: look at its DNS; behind a proxy put <proxy> into {_SETTINGS}.",
    ),
    (
        "status: 407|proxy authentication",
        f"The proxy wants a name and a password: give both in <proxy> in {_SETTINGS}.",
    ),
    (
        "status: 40[13]|authentication failed|authorization failed",
        f"That server wants a name and a password with the right to read: give both in <server> in {_SETTINGS}.",
    ),
    (
        "Connection refused|timed out|[Nn]o route to host|unreachable|Connection reset|failed to respond",
        f"Nobody answers there: look at the network, and at <mirror> and <proxy> in {_SETTINGS}.",
    ),
    ("No space left|Disk quota", "Make room on that disk (`df -h`), then try again."),
    ("(readable|parseable|effective) settings", "Correct Maven's settings there."),
    ("offline mode", f"Maven is told to stay offline: take <offline> out of {_SETTINGS}."),
    (
        "status: 404|was not found in|Could not find artifact",
        f"That server does not have it: is <url> of <mirror> in {_SETTINGS} a copy of Maven Central?",
    ),
    (
        "status: (429|5\\d\\d)",
        f"That server is busy or broken: try again later, or name another <mirror> in {_SETTINGS}.",
    ),
)


def complaint(printed: str, exit_code: int) -> tuple[str, str]:
    """Return the reason and its remedy; if Maven printed nothing, the reason is the exit code."""
    text = _ESCAPE.sub("", printed)
    errors = dict.fromkeys(_POINTER.sub("", line).strip() for line in _ERROR_LINE.findall(text))
    reason = _shortened("; ".join(errors) or telling_line(text) or f"exit code {exit_code}")
    return reason, next((remedy for usual, remedy in _REMEDIES if re.search(usual, reason)), _LOOK)


def _shortened(reason: str) -> str:
    """Keep the end of the reason, which holds the innermost cause; start at the beginning of a cause."""
    if len(reason) <= MOST_CHARACTERS:
        return reason
    end = reason[-MOST_CHARACTERS:]
    _, colon, causes = end.partition(": ")
    return f"… {causes if colon else end}"
