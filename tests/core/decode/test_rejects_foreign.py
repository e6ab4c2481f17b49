"""Somebody else's lines, which are most of a log: told from ours without Lark, and told as Lark tells them."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.core.decode.decoder import Decoder
from ingest.core.decode.rejects import classify, is_foreign, is_ours
from ingest.core.model import Message, Outcomes, ParsedMessage, Provenance
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.readers import canonical
from ingest.core.sources.source import Source
from tests.core.sources.test_regular import GOOD_LINES, near_miss
from tests.support.amount import examples
from tests.support.work import executed_lines

NOW_MS = 1_454_740_000_000
OTHER = [
    "copying 12 files to /data/raw/20160205",
    "Fri Feb  5 21:39:37 PST 2016: copying 12 files",
    "Fri Feb  5 21:39:37 PST 2016: at 21:40 all of it",
    "2016-02-05T21:39:37Z: done",
    "+ cp -r /data/raw /data/norm",
    "Warning: 3:4 is no ratio",
]
OURS = ["Fri Feb 5 21:39:37 PST 2016: a.sh:69", "Fri Feb 5 21:39:37 PST 2016: a.sh:69:1-2:PRF:A:B=1"]
LINES = st.one_of(
    st.text(max_size=80),
    st.sampled_from([*OTHER, *OURS]),
    st.builds(lambda text, tag: text.replace("PERF", tag).replace("_DATE=", "="), GOOD_LINES, st.sampled_from("PX ")),
    st.builds(lambda text, at, change: near_miss(text.replace("PERF", "INFO"), at, change).replace("_DATE=", "="),
              GOOD_LINES, st.integers(0, 999), st.sampled_from(["", "\x00", "==", ":", " x ", "7"])),
    st.builds(lambda text, size: text[:size], GOOD_LINES, st.integers(0, 60)),
)  # fmt: skip


def by_lark(source: Source, raw: bytes, message: Message) -> Outcomes | None:
    """What is said of a line that Lark refuses; None of one that it reads."""
    assert isinstance(source.reader, GrammarReader)
    parsed = source.reader.read_slowly(raw.decode("utf-8", "replace"), raw)
    return None if isinstance(parsed, ParsedMessage) else classify(source, raw, message, parsed)


def test_what_lark_would_say_is_said_without_it(flow_of: Callable[..., Decoder], sources: dict[str, Source]) -> None:
    """Of random text, of lines of ours without their words, torn or changed; many go either way."""
    decoder, source = flow_of("als_perf"), sources["als_perf"]
    counts: Counter[bool] = Counter()

    @settings(deadline=None, max_examples=examples(4000))
    @given(LINES)
    def same(text: str) -> None:
        message = Message(text.encode("utf-8", "replace"), 1_454_740_000_000, Provenance(), backfill=True)
        raw = canonical(message.data)
        assert source.gate is not None
        if not raw or is_ours(source.gate, raw):
            return
        counts[is_foreign(source, raw)] += 1
        assert decoder.decode(message, 0) == by_lark(source, raw, message)

    same()
    assert min(counts[True], counts[False]) > 0.1 * counts.total(), counts


def test_somebody_elses_line_costs_less_than_half(flow_of: Callable[..., Decoder], sources: dict[str, Source]) -> None:
    """Of the lines of code that Lark takes to refuse it."""
    decoder, source = flow_of("als_perf"), sources["als_perf"]
    messages = [Message(text.encode(), 1_454_740_000_000, Provenance(), backfill=True) for text in OTHER]

    def decode() -> None:
        for message in messages:
            decoder.decode(message, 0)

    def ask_lark() -> None:
        for message in messages:
            by_lark(source, message.data, message)

    ask_lark()  # once before: it loads its grammar
    assert executed_lines(decode) < executed_lines(ask_lark) / 2


HEADER = "Fri Feb 5 21:39:37 PST 2016: submitNormJobs.sh:32:1086857-64636"


@pytest.mark.parametrize(
    "text",
    [
        "PERFORMANCE: 12",
        "PERFECT",
        "SUPERFAST",
        "MY_PERF: 3",
        "PERF2=7",
        "Fri Feb  5 21:39:37 PST 2016: PERFORMANCE is 12",
        f"{HEADER}:PERFORMANCE: 12",
        f"{HEADER}:MY_PERF:SUBMIT_NORM",
    ],
)
def test_letters_of_a_kept_word_inside_another_word_are_somebody_elses(
    flow_of: Callable[..., Decoder], text: str
) -> None:
    """The word itself is a sign of ours, not its letters; behind our header another word is another tag."""
    outcomes = flow_of("als_perf").decode(Message(text.encode(), NOW_MS), NOW_MS)

    assert (outcomes.documents, outcomes.rejects) == ((), ())
    assert outcomes.ignored


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{HEADER}:PERF", "torn"),
        (f"{HEADER}:PE", "torn"),
        (f"{HEADER}:PERF :", "torn"),
        (f"{HEADER}:PREF:SUBMIT_NORM", "tag"),
        (f"{HEADER}:PERFX:SUBMIT_NORM", "tag"),
        (f"{HEADER}:PER:SUBMIT_NORM", "tag"),
        ("64636:PERF", "syntax"),
        ("PERF :SUBMIT_NORM", "syntax"),
        ("7-64636: PERF:SUBMIT_NORM", "syntax"),
        ("the word PERF alone", "syntax"),
        (f"{HEADER}:PERFFri Feb 5 21:39:38 PST 2016: copying", "syntax"),
        ("norm:START_DATE=1454737177", "syntax"),
    ],
)
def test_a_torn_or_mistyped_line_of_ours_is_rejected(flow_of: Callable[..., Decoder], text: str, reason: str) -> None:
    """The tag as a word, the ending of a key, or our header with a tag that is cut or one letter off."""
    (reject,) = flow_of("als_perf").decode(Message(text.encode(), NOW_MS), NOW_MS).rejects

    assert reject.reason == reason


@pytest.mark.parametrize("text", ["ts=2026-03-04T19:20:05Z prevent=1", "kevent=2", "last_event=x ts=1"])
def test_an_ending_of_a_netlogger_name_is_no_event(flow_of: Callable[..., Decoder], text: str) -> None:
    """`event=` is a whole name, as `PERF` is a whole word."""
    assert not flow_of("netlogger").decode(Message(text.encode(), NOW_MS), NOW_MS).rejects


def test_longer_words_of_batch_jobs_are_somebody_elses(flow_of: Callable[..., Decoder]) -> None:
    """The same of the words of another source."""
    decoder = flow_of("lcls_psjob")

    assert not decoder.decode(Message(b"SubTotalElapsed 3", NOW_MS), NOW_MS).rejects
    assert decoder.decode(Message(b"PSJobComplete TotalElapsed 3", NOW_MS), NOW_MS).rejects
