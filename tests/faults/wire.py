"""Kafka's protocol as far as this suite needs it, by hand: cheap to ask all the time, and nothing left behind.

kafka-python's clients leave sockets behind each time they meet a broker that goes or comes, and the suite's does so.
There is one broker, so nobody has to be asked who the coordinator is.
"""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

PRODUCE, OFFSET_FETCH, DESCRIBE_GROUPS = (0, 3), (9, 2), (15, 0)  # key and version of each request
TIMEOUT_S = 10.0
ALL_REPLICAS = -1


class Answer:
    """The bytes of an answer, read one field after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 4  # behind the correlation id

    def number(self, form: str) -> int:
        """A number of a struct's form."""
        (value,) = struct.unpack_from(f">{form}", self._data, self._at)
        self._at += struct.calcsize(form)
        return int(value)

    def text(self, form: str = "h") -> bytes:
        """A string, or with form `i` bytes; none is as good as empty."""
        length = max(self.number(form), 0)
        self._at += length
        return self._data[self._at - length : self._at]

    def positions(self) -> range:
        """The positions of an array."""
        return range(self.number("i"))


class Wire:
    """A connection to the broker."""

    def __init__(self, kafka: str) -> None:
        """Connect; `OSError` while nobody listens."""
        host, _, port = kafka.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_S)

    def produce(self, topic: str, partition: int, batch: bytes) -> None:
        """Append a record batch; returns when it was acknowledged."""
        head = struct.pack(">hhi", -1, ALL_REPLICAS, int(TIMEOUT_S * 1000))
        body = struct.pack(">i", 1) + _text(topic) + struct.pack(">iii", 1, partition, len(batch)) + batch
        answer = self._request(PRODUCE, head + body)
        for _ in answer.positions():
            answer.text()
            for _ in answer.positions():
                number, error = answer.number("i"), answer.number("h")
                assert error == 0, f"Kafka's error code {error} for {topic}/{number}"
                answer.number("q"), answer.number("q")

    def committed(self, group: str) -> dict[int, int]:
        """Partition -> committed offset, of a group that reads one topic; `OSError` while the coordinator starts."""
        answer = self._request(OFFSET_FETCH, _text(group) + struct.pack(">i", -1))
        offsets = {}
        for _ in answer.positions():
            answer.text()
            for _ in answer.positions():
                partition, offset = answer.number("i"), answer.number("q")
                answer.text(), answer.number("h")
                offsets[partition] = offset
        _refuse(answer.number("h"))
        return {partition: offset for partition, offset in offsets.items() if offset >= 0}

    def members(self, group: str) -> list[bytes]:
        """The ids of a group's members."""
        answer = self._request(DESCRIBE_GROUPS, struct.pack(">i", 1) + _text(group))
        member_ids = []
        for _ in answer.positions():
            _refuse(answer.number("h"))
            for _ in ("group", "state", "type", "protocol"):
                answer.text()
            for _ in answer.positions():
                member_ids.append(answer.text())
                answer.text(), answer.text(), answer.text("i"), answer.text("i")
        return member_ids

    def close(self) -> None:
        """Let it go."""
        self._socket.close()

    def _request(self, api: tuple[int, int], body: bytes) -> Answer:
        request = struct.pack(">hhi", *api, 1) + _text("tests") + body
        self._socket.sendall(struct.pack(">i", len(request)) + request)
        with self._socket.makefile("rb") as stream:
            length = stream.read(4)
            if len(length) < 4:
                raise ConnectionError("the broker is gone")
            (size_bytes,) = struct.unpack(">i", length)
            data = stream.read(size_bytes)
        if len(data) < size_bytes:
            raise ConnectionError("the broker is gone")
        return Answer(data)


@contextmanager
def wire(kafka: str) -> Iterator[Wire]:
    """A connection that is closed again."""
    made = Wire(kafka)
    try:
        yield made
    finally:
        made.close()


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _refuse(error: int) -> None:
    if error:
        raise ConnectionError(f"Kafka's error code {error}")
