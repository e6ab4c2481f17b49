"""A raised revision of a source, in a copy of the grammars."""

import re
from pathlib import Path

_REVISION = re.compile(r"^revision = ([0-9]+)", re.MULTILINE)


def raise_revision(source: Path) -> int:
    """Raise the revision in a source's folder by one; return the new one."""
    path = source / "source.toml"
    text = path.read_text(encoding="utf-8")
    match = _REVISION.search(text)
    assert match is not None
    revision = int(match[1]) + 1
    path.write_text(_REVISION.sub(f"revision = {revision}", text), encoding="utf-8")
    return revision
