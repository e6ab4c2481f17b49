"""Builds bulk API actions as text: an action line and a document line.

Ids and index names contain no character that JSON escapes (see `ids`), so the action line needs no encoder.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

_TO_INDEX, _TO_ID, _TO_VERSION, _TO_JSON = (
    '{"index":{"_index":"',
    '","_id":"',
    '","version":',
    ',"version_type":"external"}}\n',
)

# Makes a named tuple in half the time that a call of its class takes. It is for what is made once a line: actions,
# marks, stages, derived documents. It takes all fields, in order, and checks neither their number nor their types.
# Likewise the hottest loops unpack a named tuple at once: each access by name costs as much as unpacking all of it.
new_tuple = tuple.__new__


class BulkAction(NamedTuple):
    """One action: the document's index and id, and the two lines of the request, each with its newline."""

    index: str  # type: ignore[assignment]  # a field of this name hides tuple.index, here and elsewhere: nobody needs it
    id: str
    text: str

    @property
    def json(self) -> str:
        """The document."""
        return self.text.split("\n", 1)[1][:-1]


class BulkDocument(Protocol):
    """A document to write: of lines (`Document`) or derived (`DerivedDocument`); its version is external."""

    @property
    def index(self) -> str:
        """The index that holds it."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def version(self) -> int:
        """Its external version."""

    @property
    def json(self) -> str:
        """Its body as JSON."""


def index_document(document: BulkDocument) -> BulkAction:
    """Index a document as `index` does."""
    return index(document.index, document.id, document.version, document.json)


def index(index: str, id_: str, version: int, json: str) -> BulkAction:
    """Index the document unless this version or a higher one is stored; an equal version is a 409 conflict."""
    text = f"{_TO_INDEX}{index}{_TO_ID}{id_}{_TO_VERSION}{version}{_TO_JSON}{json}\n"
    return new_tuple(BulkAction, (index, id_, text))


def index_head(index: str) -> str:
    """Return the text of an `index` action before the id."""
    return f"{_TO_INDEX}{index}{_TO_ID}"


def index_tail(version: int) -> str:
    """Return the text of an `index` action between the id and the document."""
    return f"{_TO_VERSION}{version}{_TO_JSON}"


def create(index: str, id_: str, json: str) -> BulkAction:
    """Create the document unless its id exists: the first one stays."""
    return BulkAction(index, id_, f'{{"create":{{"_index":"{index}","_id":"{id_}"}}}}\n{json}\n')


def index_if(index: str, id_: str, seen: tuple[int, int], json: str) -> BulkAction:
    """Index the document if its sequence number and primary term are still `seen` (compare-and-swap), else a 409."""
    head = f'{{"index":{{"_index":"{index}","_id":"{id_}","if_seq_no":{seen[0]},"if_primary_term":{seen[1]}}}}}'
    return BulkAction(index, id_, f"{head}\n{json}\n")


def index_gte(index: str, id_: str, version: int, json: str) -> BulkAction:
    """Index the document unless a higher version is stored; an equal version is replaced."""
    head = f'{{"index":{{"_index":"{index}","_id":"{id_}","version":{version},"version_type":"external_gte"}}}}'
    return BulkAction(index, id_, f"{head}\n{json}\n")


def request_body(actions: Iterable[BulkAction]) -> bytes:
    """Return the body of a bulk request."""
    return "".join([action.text for action in actions]).encode()
