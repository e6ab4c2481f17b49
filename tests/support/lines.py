"""Copies of the sample lines that differ."""

import re

COPIES = 4


def distinct(lines: list[bytes], copies: int = COPIES) -> list[bytes]:
    """Several copies of the sample lines; the number of the script's line differs."""
    return [
        re.sub(rb"sh:(\d+):", lambda match, n=n: b"sh:%d:" % (int(match[1]) + 1000 * n), line)  # type: ignore[misc]
        for n in range(copies)
        for line in lines
    ]
