"""What iperf3 writes for JSON and no parser takes -> JSON. Pure text, linear in its length.

Seen in the wild (perfsonar.md, section 8, case 14): `nan` and `-nan`, `5.924e 06`, a comma behind the last value, and
warnings ahead of the first brace. Nothing inside a string is touched. A number that is none becomes null.
"""

import re

# A string is taken whole, closed or not: scanning on from inside one could be quadratic, and would mend text.
_FAULTS = re.compile(
    rb'(?P<kept>"(?>[^"\\]+|\\.)*"?)|(?P<none>[-+]?\b(?:nan|inf(?:inity)?)\b)|(?P<blank>(?<=[0-9][eE]) (?=[0-9]))'
    rb"|(?P<comma>,(?=\s*+[\]}]))",
    re.IGNORECASE | re.DOTALL,
)
# Beyond a double, or near it; only where a token begins, so that a long run of digits is looked at once.
_HUGE = re.compile(
    rb'"(?>[^"\\]+|\\.)*"?|(?P<huge>(?<![0-9.eE+-])-?(?:[0-9]{309,}+(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?'
    rb"|[0-9]++(?:\.[0-9]++)?[eE]\+?[0-9]{3,}+))",
    re.DOTALL,
)
_BY_FAULT = {"none": b"null", "blank": b"+", "comma": b""}


def repaired(text: bytes) -> bytes:
    """The text from its first brace on, mended; the same text where nothing is wrong that is known."""
    return _FAULTS.sub(_mended, text[max(text.find(b"{"), 0) :])


def _mended(match: re.Match[bytes]) -> bytes:
    return match[0] if match.lastgroup == "kept" else _BY_FAULT[match.lastgroup or ""]


def bounded(text: bytes) -> bytes:
    """The text with every number that no double holds in quotes: one field is then absent, not the message refused."""
    return _HUGE.sub(lambda found: b'"%b"' % found[0] if found["huge"] else found[0], text)
