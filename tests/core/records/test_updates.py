"""What is gathered from typed marks equals what is gathered from documents."""

from itertools import islice
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_path import fast_path
from ingest.core.fields import load_schema
from ingest.core.model import Intake, Message, Provenance
from ingest.core.records.updates import BatchUpdates
from ingest.core.runs.state import union
from ingest.core.sources.loader import load_sources
from ingest.core.tracking.watermark import WriterProgress
from ingest.synthetic.workload.generator import messages
from ingest.synthetic.workload.truth import Shares, Workload
from tests.core.conftest import GRAMMARS

SCHEMA = load_schema(GRAMMARS / "fields.toml")
FLOW = Decoder(Intake("lines", "t", "als", ("als_perf",), "w"), load_sources(GRAMMARS, SCHEMA), SCHEMA)
ORIGIN = Provenance("node", "/x.log", 0)
SHARES = Shares(with_ends=0.3, skewed=0.3, retried=0.2, parallel=0.2, torn=0.05, refused=0.05)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), ahead=st.booleans())
def test_the_short_way_gathers_what_the_documents_say(seed: int, ahead: bool) -> None:
    """Marks, runs and what was heard of the writer, to the value."""
    lines = [made.data for made in islice(messages(Workload(seed, 300, shares=SHARES)), 300)]
    received_ms = 1_454_662_800_000 if ahead else 1_790_000_000_000
    path = fast_path(FLOW, FLOW.first, ORIGIN)
    assert path is not None
    read = path.reader()
    short, plain, general, rng = BatchUpdates(), [], BatchUpdates(), Random(seed)
    for line in lines:
        record_ms = received_ms + rng.randrange(10**6)
        outcomes = FLOW.decode(Message(line, record_ms, ORIGIN, backfill=True), 0)
        mark = read(line)
        for document in outcomes.documents:
            general.add_document(document, record_ms, True)
            if mark is None or len(outcomes.documents) > 1:
                short.add_document(document, record_ms, True)
            else:
                plain.append((document.id, mark, record_ms))
    short.add_plain(plain, True)

    assert len(plain) > 50
    assert short.writers == general.writers
    assert {key: union({}, marks) for key, marks in short.runs.items()} == {
        key: union({}, marks) for key, marks in general.runs.items()
    }
    assert any(heard.ahead for heard in general.writers.values()) == ahead


def test_joined_is_as_gathered_at_once() -> None:
    """Two batches of the same run and writer."""
    documents = [
        document
        for made in messages(Workload(3, 60))
        for document in FLOW.decode(Message(made.data, 1_790_000_000_000, ORIGIN, backfill=True), 0).documents
    ]
    whole, parts = BatchUpdates(), [BatchUpdates(), BatchUpdates()]
    for n, document in enumerate(documents):
        whole.add_document(document, n, False)
        parts[n % 2].add_document(document, n, False)
    parts[0].join(parts[1])

    assert parts[0].writers == whole.writers
    assert {key: union({}, marks) for key, marks in parts[0].runs.items()} == {
        key: union({}, marks) for key, marks in whole.runs.items()
    }
    assert all(isinstance(heard, WriterProgress) and heard.ahead for heard in whole.writers.values())
