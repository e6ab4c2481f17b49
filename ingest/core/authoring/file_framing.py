"""Whether a file that came without an intake is one message or one a line: by what its sources read of it.

As a shipper would send it: a file is one message if a source that reads whole messages reads it, or plainly began to.
A file that mixes lines and documents, and one of JSON lines, is read line by line. Documents that follow each other
are one message: its reject says where the second begins.
"""

from collections.abc import Callable, Iterable, Sequence

from ingest.core.authoring.nearest import likeness, sample_texts
from ingest.core.model import Outcomes
from ingest.core.sources.framing import Frame, frames, framing_of, opens_json
from ingest.core.sources.readers import canonical
from ingest.core.sources.source import Source

LINE, MESSAGE = "line", "message"
ALIKE = 0.6


def framing_of_file(sources: Iterable[Source], name: str, data: bytes, decode: Callable[[Frame], Outcomes]) -> str:
    """Choose `message` or `line` for a file; `decode` decodes a message by all sources."""
    framed = [(source, framing_of(source, name, data)) for source in sources]
    of_messages = [source for source, framing in framed if framing == MESSAGE]
    lines_only = {source.name for source, framing in framed if framing == LINE}
    if not (of_messages and lines_only):
        return MESSAGE if of_messages else LINE
    if len(data) > max(source.max_bytes for source in of_messages):
        return LINE
    whole = decode(Frame(1, 0, data))
    if whole.documents:
        return MESSAGE if _sources_of(whole) & {source.name for source in of_messages} else LINE
    if not (_has_begun(whole, of_messages, data) or _is_alike(of_messages, data)):
        return LINE
    of_lines = any(_sources_of(decode(frame)) & lines_only for frame in frames(data, LINE))
    return LINE if of_lines else MESSAGE


def _sources_of(outcomes: Outcomes) -> set[str]:
    return {document.body["perf"]["source"] for document in outcomes.documents}


def _has_begun(whole: Outcomes, of_messages: Sequence[Source], data: bytes) -> bool:
    """Whether the file opens a JSON document, or a source of whole messages read more than its first line."""
    if opens_json(data):
        return True
    names = {source.name for source in of_messages}
    return any(reject.source in names and (reject.line > 1 or reject.column is None) for reject in whole.rejects)


def _is_alike(of_messages: Sequence[Source], data: bytes) -> bool:
    """Whether several lines resemble a sample of a source of whole messages."""
    text = canonical(data).decode("utf-8", "replace")
    return "\n" in text and any(
        likeness(text, sample) >= ALIKE for source in of_messages for sample in sample_texts(source) if "\n" in sample
    )
