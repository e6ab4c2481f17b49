"""More lines of the sample, told apart."""

import re

COPIES = 4


def distinct(lines: list[bytes]) -> list[bytes]:
    """Several times the sample lines, told apart by the number of the script's line."""
    return [
        re.sub(rb"sh:(\d+):", lambda found, n=n: b"sh:%d:" % (int(found[1]) + 1000 * n), line)  # type: ignore[misc]
        for n in range(COPIES)
        for line in lines
    ]
