"""What is asked of Elasticsearch's bulk API, as text: one action is two lines, what to do and the document. Pure.

Neither ids nor index names hold a character that JSON escapes (see `ids`), so the first line is written as it stands.
"""

from collections.abc import Iterable
from typing import NamedTuple

# Before an index, between index and id, between id and version, behind the version of a fact.
FACT = ('{"index":{"_index":"', '","_id":"', '","version":', ',"version_type":"external"}}\n')


_new = tuple.__new__  # half the time of a named tuple's own call, and there is one a document


class BulkAction(NamedTuple):
    """One action: the document's index and id, and the two lines of the request, each with its line end."""

    index: str  # type: ignore[assignment]  # hides tuple.index, which nobody misses
    id: str
    text: str

    @property
    def json(self) -> str:
        """The document."""
        return self.text.split("\n", 1)[1][:-1]


def index(index: str, id_: str, version: int, json: str) -> BulkAction:
    """Write unless this version or a higher one is there: the same again is a 409."""
    a, b, c, d = FACT
    return _new(BulkAction, (index, id_, f"{a}{index}{b}{id_}{c}{version}{d}{json}\n"))


def create(index: str, id_: str, json: str) -> BulkAction:
    """Write unless there is one: the first stays."""
    return BulkAction(index, id_, f'{{"create":{{"_index":"{index}","_id":"{id_}"}}}}\n{json}\n')


def index_if(index: str, id_: str, seen: tuple[int, int], json: str) -> BulkAction:
    """Write if it still is what was seen (sequence number, primary term): the compare-and-swap; else a 409."""
    head = f'{{"index":{{"_index":"{index}","_id":"{id_}","if_seq_no":{seen[0]},"if_primary_term":{seen[1]}}}}}'
    return BulkAction(index, id_, f"{head}\n{json}\n")


def index_gte(index: str, id_: str, version: int, json: str) -> BulkAction:
    """Write unless a higher version is there: an equal one is replaced."""
    head = f'{{"index":{{"_index":"{index}","_id":"{id_}","version":{version},"version_type":"external_gte"}}}}'
    return BulkAction(index, id_, f"{head}\n{json}\n")


def request_body(actions: Iterable[BulkAction]) -> bytes:
    """The body of a bulk request."""
    return "".join([action.text for action in actions]).encode()
