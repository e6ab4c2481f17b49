"""Find the nearest form that the source of a rejected message accepts: the message with one repair, else a sample.

A repair is tested, not trusted: it counts only if the core decodes the repaired text into documents. Its values come
from a sample; they show the form, not the true values. Reads only the samples in the source's folder.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import islice
from pathlib import Path

from ingest.core.sources.framing import frames, framing_of
from ingest.core.sources.grammar import GrammarReader, PlacedToken
from ingest.core.sources.loader import sample_files
from ingest.core.sources.readers import canonical
from ingest.core.sources.source import Source

MOST_SAMPLES = 400
MOST_CHARS = 4000
MOST_REPAIRS = 80
FLAG_COST = 5
MOST_COST = 12
READ_SAMPLES = 12
_ENDS = " \t\n:=,;"


@dataclass(frozen=True, slots=True)
class Nearest:
    """An accepted text; `how` is `repaired` (the message, changed in one place) or `sample` (another message)."""

    text: str
    how: str


@lru_cache(maxsize=64)
def _texts(folder: Path, framings: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    texts: list[str] = []
    for name, framing in framings:
        messages = frames((folder / name).read_bytes(), framing)
        texts += [canonical(frame.data).decode("utf-8", "replace") for frame in messages]
    return tuple(text for text in texts if text)[:MOST_SAMPLES]


def sample_texts(source: Source) -> tuple[str, ...]:
    """The canonical messages in the source's samples."""
    paths = [path for path in sample_files(source.folder) if path.name.startswith("samples.")]
    framings = tuple((path.name, framing_of(source, path.name, path.read_bytes())) for path in paths)
    return _texts(source.folder, framings)


def nearest(
    source: Source, text: str, at: int, expected: Sequence[str], flags_of: Callable[[str], int | None]
) -> Nearest:
    """The nearest accepted form of `text`, rejected at character `at`, where `expected` terminals would be valid.

    `flags_of` returns the number of flags on a candidate's documents, None if it is rejected. The smallest repair wins;
    a
    flag costs as much as five characters. If a repair costs more than twelve, the more similar sample wins.
    """
    samples = sorted(sample_texts(source), key=lambda sample: -likeness(text, sample))
    if isinstance(source.reader, GrammarReader):
        candidates = dict.fromkeys(_repairs(source.reader, text, at, expected, samples[:READ_SAMPLES]))
        repairs = []
        near = (one for one in candidates if one != text and (one not in samples or _changed(text, one) <= MOST_COST))
        for candidate in islice(near, MOST_REPAIRS):
            flags = flags_of(candidate)
            if flags is not None:
                repairs.append((flags * FLAG_COST + min(_changed(text, candidate), MOST_COST), candidate))
        if repairs:
            return Nearest(min(repairs, key=lambda one: one[0])[1], "repaired")
    return Nearest(samples[0], "sample")


def _changed(text: str, other: str) -> int:
    """How many characters lie between the common prefix and the common suffix of two texts."""
    shorter = min(len(text), len(other))
    front = next((n for n in range(shorter) if text[n] != other[n]), shorter)
    back = next((n for n in range(shorter - front) if text[-n - 1] != other[-n - 1]), shorter - front)
    return max(len(text), len(other)) - front - back


def examples(source: Source) -> dict[str, str]:
    """Terminal -> one of its texts in the samples."""
    text_of: dict[str, str] = {}
    if isinstance(source.reader, GrammarReader):
        for text in sample_texts(source)[:READ_SAMPLES]:
            for token in source.reader.tokens(text):
                text_of.setdefault(token.terminal, token.text)
    return text_of


def likeness(text: str, sample: str) -> float:
    """The similarity of two messages, 0 to 1; for long ones by their characters only, which is cheap."""
    matcher = SequenceMatcher(None, text[:MOST_CHARS], sample[:MOST_CHARS], autojunk=False)
    return matcher.quick_ratio() if max(len(text), len(sample)) > MOST_CHARS // 8 else matcher.ratio()


def _repairs(
    reader: GrammarReader, text: str, at: int, expected: Sequence[str], samples: Sequence[str]
) -> Iterator[str]:
    """Candidates, smallest change first: a character, a token inserted or replaced, the rest of a sample."""
    if len(text) > MOST_CHARS:
        return
    read = [reader.tokens(sample) for sample in samples]
    known = {token.text: token.terminal for tokens in read for token in tokens}
    expected_names = {name.lstrip("_") for name in expected}
    fitting = [word for word, terminal in known.items() if terminal.lstrip("_") in expected_names]
    seen = [token for token in reader.tokens(text) if token.end <= at]
    end = _word_end(text, at)
    yield text[:at] + text[at + 1 :]
    yield from (text[:at] + word + text[end:] for word in fitting)
    yield from (text[:at] + word + text[at:] for word in fitting)
    yield from _exchanged(text, at, reader.tokens(text), read)
    yield from (text[:at] + rest for rest in _rests(seen, read))
    yield text[:at]
    yield text[: at - 1] + text[at:] if at else ""


def _word_end(text: str, at: int) -> int:
    return next((n for n in range(at, len(text)) if text[n] in _ENDS), len(text))


def _exchanged(text: str, at: int, own: Sequence[PlacedToken], read: Sequence[Sequence[PlacedToken]]) -> Iterator[str]:
    """Exchange a token whose value is impossible for a sample's, or insert the tokens that follow it there."""
    token = next((token for token in own if token.start <= at < token.end), None)
    if token is None:
        return
    for tokens in read:
        for n, other in enumerate(tokens):
            if other.terminal == token.terminal:
                yield text[: token.start] + other.text + text[token.end :]
                yield text[: token.end] + "".join(p.text for p in tokens[n + 1 : n + 3]) + text[token.end :]


def _rests(seen: Sequence[PlacedToken], read: Sequence[Sequence[PlacedToken]]) -> Iterator[str]:
    """How samples continue that begin with the same terminals."""
    before = [token.terminal for token in seen]
    for tokens in read:
        if [token.terminal for token in tokens[: len(before)]] == before:
            yield "".join(token.text for token in tokens[len(before) :])
