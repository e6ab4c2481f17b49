"""Bounds what one message may become (the design's promise 8): nesting depth, number of pieces, and bytes written.

The bytes are counted as they are written: each document with its bulk action line, each reject with its other fields,
and the dead letter once. A message that exceeds a bound becomes one reject that names the bound.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import orjson

from ingest.core.model import Document, Outcomes, Reject

ELEMENTS, LINES, PAIRS, BLOCKS = "elements", "lines", "pairs", "blocks"
TOO_MANY = {of: f"too_many_{of}" for of in (ELEMENTS, LINES, PAIRS, BLOCKS)}  # kind of part -> reason
MAX_ELEMENTS = 4000  # in an array; also lines in a message
MAX_DEPTH = 64  # nested objects and arrays
OUTPUT_FACTOR, OUTPUT_EXTRA_BYTES = 16, 64 * 1024
PAIR_BYTES = 512  # of a document besides the line it keeps
ACTION_BYTES = 96  # of an action line, besides index name and id
REJECT_BYTES = 1536  # of a reject's document besides the original bytes; includes the shape
LETTER_BYTES = 2048  # headers of a dead letter, besides the detail of its first reject

_CONTAINERS = {dict, list}  # the JSON decoder returns exactly these types


def is_too_deep(tree: Any) -> bool:
    """Whether objects and arrays of a decoded JSON value are nested deeper than `MAX_DEPTH`."""
    level = [tree]
    for _ in range(MAX_DEPTH):
        inside = (node.values() if isinstance(node, dict) else node for node in level)
        level = [child for children in inside for child in children if type(child) in _CONTAINERS]
        if not level:
            return False
    return True


def too_deep_words() -> str:
    """Return the reject's text for JSON that is nested too deep."""
    return f"objects and arrays lie more than {MAX_DEPTH} deep within one another"


def most_output_bytes(input_bytes: int) -> int:
    """Return the most bytes that may be written for a message of this size."""
    return OUTPUT_FACTOR * input_bytes + OUTPUT_EXTRA_BYTES


def are_too_many(documents: int, piece_bytes: int) -> bool:
    """Whether this many documents, each with a copy of the same piece, exceed what may be written for the piece."""
    return documents * (piece_bytes + PAIR_BYTES) > most_output_bytes(piece_bytes)


def output_bytes(outcomes: Outcomes, message_bytes: int) -> int:
    """Estimate the bytes written for a message of this size: an upper bound, and a close one."""
    written = sum(map(_document_bytes, outcomes.documents))
    if outcomes.rejects:
        first = outcomes.rejects[0]
        written += message_bytes + LETTER_BYTES + 4 * len(first.detail) + _expected_bytes(first.expected)
    return written + sum(map(_reject_bytes, outcomes.rejects))


def _document_bytes(document: Document) -> int:
    return ACTION_BYTES + len(document.index) + len(document.id) + document.size_bytes


def _reject_bytes(reject: Reject) -> int:
    text = reject.original.decode("utf-8", "replace")
    original_bytes = len(orjson.dumps(text))
    if text.encode() != reject.original:
        original_bytes += len(b64encode(reject.original))
    return REJECT_BYTES + original_bytes + 4 * len(reject.detail) + _expected_bytes(reject.expected)


def _expected_bytes(expected: Sequence[str]) -> int:
    return sum(len(name) + 3 for name in expected)
