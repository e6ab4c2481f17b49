"""UTF-16, as some tools write logs: read by its byte order mark, recognised without one.

A file of it is cut into lines at its own newlines, of two bytes, and each line gets the file's mark, since each is read
by itself. Whoever cuts it at newline bytes leaves lines without a mark, of which every second byte is NUL.
"""

from collections.abc import Iterator

ORDERS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}  # byte order mark -> encoding
MARKS = tuple(ORDERS)
MARK_BYTES = 2
SEEN_BYTES = 64
REMEDY = "convert the file: iconv -f UTF-16 -t UTF-8"


def mark_of(data: bytes) -> bytes | None:
    """The byte order mark that UTF-16 begins with; None for other bytes, such as text with these two before it."""
    marked = data.startswith(MARKS) and (len(data) == MARK_BYTES or b"\0" in data)
    return data[:MARK_BYTES] if marked else None


def text_of(data: bytes) -> str | None:
    """The text of UTF-16 with a mark; what is no character is replaced. None for other bytes."""
    mark = mark_of(data)
    if mark is None:
        return None
    # Of a newline that was cut in two, its NUL is left.
    whole = data[:-1] if len(data) % 2 and data.endswith(b"\0") else data
    return whole[MARK_BYTES:].decode(ORDERS[mark], "replace")


def newline_of(mark: bytes) -> bytes:
    """The newline in the order of a mark."""
    return "\n".encode(ORDERS[mark])


def lines(data: bytes, mark: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines of UTF-16 that begins with `mark`: the offset of each, and its bytes with a mark, without newline."""
    newline, at = newline_of(mark), 0
    while at < len(data):
        end = data.find(newline, at)
        while end % 2 and end > 0:
            end = data.find(newline, end + 1)
        stop = len(data) if end < 0 else end
        yield at, data[at:stop] if at == 0 else mark + data[at:stop]
        at = stop + len(newline)


def is_likely(data: bytes) -> bool:
    """Whether bytes without a mark are UTF-16: at their beginning every second byte is NUL, and no other one is."""
    begin = data[:SEEN_BYTES]
    even, odd = begin[::2], begin[1::2]
    return len(begin) > 2 and ((not any(even) and all(odd)) or (not any(odd) and all(even)))
