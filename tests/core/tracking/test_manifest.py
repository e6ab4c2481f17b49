"""Manifests: what is believed of them, and what is refused."""

import pytest

from ingest.core.model import Ignored, Message, Provenance, Reject
from ingest.core.tracking.manifest import BEGIN, END, Manifest, begins, ends, manifest_of, read_as

NOW = 1_790_000_000_000
OF = Provenance("node", "/data/run.log")
SHA = "9f" * 32


def message(data: bytes, of: Provenance = OF) -> Message:
    """A record whose header says that it is a manifest."""
    return Message(data, NOW, of)


@pytest.mark.parametrize(
    ("role", "data", "expected"),
    [
        (BEGIN, begins("/x", 10, NOW), Manifest(NOW, 10)),
        (END, ends("/x", (10, 2, SHA), 12, NOW), Manifest(NOW, 12, 2, SHA)),
        (END, b'{"bytes": 10}', Manifest(NOW, 10)),
        (END, b'\xef\xbb\xbf {"bytes": 0, "lines": 0, "colour": "red"}\r\n', Manifest(NOW, 0, 0)),
        (END, b'{"bytes": 1, "sha256": "%s"}' % SHA.upper().encode(), Manifest(NOW, 1, -1, SHA)),
    ],
)
def test_a_manifest_says_how_large_a_file_is(role: str, data: bytes, expected: Manifest) -> None:
    """The larger of what was read and what was there; the rest may be left out. Its record is ignored as a message."""
    assert manifest_of(message(data), role) == expected
    assert read_as(message(data), role)[1].ignored == (Ignored(f"manifest_{role}"),)


@pytest.mark.parametrize(
    ("role", "data", "says"),
    [
        (END, b"", "not JSON"),
        (END, b"[1]", "not an object"),
        (END, b'[{"bytes": 1}]', "`bytes`"),
        (END, b'{"size_bytes": 1}', "`bytes`"),
        (BEGIN, b'{"bytes": 1}', "`size_bytes`"),
        (END, b'{"bytes": -1}', "`bytes`"),
        (END, b'{"bytes": true}', "`bytes`"),
        (END, b'{"bytes": "1"}', "`bytes`"),
        (END, b'{"bytes": 9223372036854775808}', "`bytes`"),
        (END, b'{"bytes": 1, "lines": null}', "`lines`"),
        (END, b'{"bytes": 1, "sha256": "xyz"}', "`sha256`"),
        ("middle", b'{"bytes": 1}', "`middle`"),
    ],
)
def test_what_is_no_manifest_is_refused_with_a_reason(role: str, data: bytes, says: str) -> None:
    """A reject like any other: it names what is wrong, and keeps the bytes."""
    content = manifest_of(message(data), role)

    assert isinstance(content, Reject)
    assert (content.reason, content.original) == ("manifest", data)
    assert says in content.detail


def test_content_names_no_file() -> None:
    """The headers do: a manifest without them is of nothing, whatever it says of itself."""
    content = manifest_of(message(b'{"file": "/data/run.log", "bytes": 1}', Provenance("node")), END)

    assert isinstance(content, Reject)
    assert "perflog.path" in content.detail
