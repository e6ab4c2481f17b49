"""What one message may become, bounded (the design's promise 8): its depth, its pieces, the bytes written for it. Pure.

The bytes are counted as they are written: a document with the line of the request ahead of it, a reject with what
stands beside its bytes, the dead letter once. Whatever would become more is one reject that says so.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import orjson

from ingest.core.model import Document, Outcomes, Reject

ELEMENTS, LINES, PAIRS, BLOCKS = "elements", "lines", "pairs", "blocks"
TOO_MANY = {of: f"too_many_{of}" for of in (ELEMENTS, LINES, PAIRS, BLOCKS)}  # what a message holds many of -> reason
MAX_ELEMENTS = 4000  # of an array; lines of a message too
MAX_DEPTH = 64  # objects and arrays within one another
OUTPUT_FACTOR, OUTPUT_EXTRA_BYTES = 16, 64 * 1024
PAIR_BYTES = 512  # what a document says beside the line it keeps
ACTION_BYTES = 96  # of a request's line, beside the names of index and document
REJECT_BYTES = 1536  # what a reject's document says beside its bytes, the shape of the fault with it
LETTER_BYTES = 2048  # headers of a dead letter, beside the words of its first reject

_CONTAINERS = {dict, list}  # of exactly these types is what was decoded


def is_too_deep(tree: Any) -> bool:
    """Whether objects and arrays of a decoded JSON value lie deeper within one another than is read."""
    level = [tree]
    for _ in range(MAX_DEPTH):
        inside = (node.values() if isinstance(node, dict) else node for node in level)
        level = [child for children in inside for child in children if type(child) in _CONTAINERS]
        if not level:
            return False
    return True


def too_deep_words() -> str:
    """Why a message is refused whose objects and arrays lie too deep within one another."""
    return f"objects and arrays lie more than {MAX_DEPTH} deep within one another"


def most_output_bytes(input_bytes: int) -> int:
    """The most that may be written for a message of this size."""
    return OUTPUT_FACTOR * input_bytes + OUTPUT_EXTRA_BYTES


def are_too_many(documents: int, piece_bytes: int) -> bool:
    """Whether so many documents, each of which keeps the same piece, are more than may be written for it."""
    return documents * (piece_bytes + PAIR_BYTES) > most_output_bytes(piece_bytes)


def output_bytes(outcomes: Outcomes, message_bytes: int) -> int:
    """The bytes that are written for a message of this size: at most so many, and nearly."""
    written = sum(map(_document_bytes, outcomes.documents))
    if outcomes.rejects:
        first = outcomes.rejects[0]
        written += message_bytes + LETTER_BYTES + 4 * len(first.detail) + _expected_bytes(first.expected)
    return written + sum(map(_reject_bytes, outcomes.rejects))


def _document_bytes(document: Document) -> int:
    return ACTION_BYTES + len(document.index) + len(document.id) + document.size_bytes


def _reject_bytes(reject: Reject) -> int:
    text = reject.original.decode("utf-8", "replace")
    kept = len(orjson.dumps(text))
    if text.encode() != reject.original:
        kept += len(b64encode(reject.original))
    return REJECT_BYTES + kept + 4 * len(reject.detail) + _expected_bytes(reject.expected)


def _expected_bytes(expected: Sequence[str]) -> int:
    return sum(len(name) + 3 for name in expected)
