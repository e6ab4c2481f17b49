"""A planned message -> its bytes and its truth: whole, torn, glued, refused, poisoned, or none of ours.

Every form is one whose outcome and reason are certain.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ingest.synthetic.workload.arrivals import PLAIN, POISONED, Planned
from ingest.synthetic.workload.run_plan import Mark
from ingest.synthetic.workload.stamps import Stamps
from ingest.synthetic.workload.truth import INDEX, LINE, ExpectedDocument, Made, Truth

SKEW_SEEN_S = -2  # a stamp that far ahead of its value is rounding; further, and the core says `clock_skew`
DECADES_S = 40 * 365 * 86_400


class Text(NamedTuple):
    """A line in its parts: what is cut or changed is known by part, not found in the line."""

    stamp: str
    script: str
    number: str
    run: str
    gap: str
    stage: str
    key: str
    value: str

    def __str__(self) -> str:
        return f"{self.stamp}{self.script}:{self.number}:{self.run}{self.gap}{self.stage}:{self.key}={self.value}"

    @property
    def numbered(self) -> int:
        """Where the script's line number begins."""
        return len(self.stamp) + len(self.script) + 1

    @property
    def staged(self) -> int:
        """Where the stage begins."""
        return self.numbered + len(self.number) + 1 + len(self.run) + len(self.gap)

    @property
    def keyed(self) -> int:
        """Where the key begins."""
        return self.staged + len(self.stage) + 1


Answer = tuple[str, Truth]


def made(message: Planned, stamps: Stamps) -> Made:
    """The message as it arrives, with its truth."""
    who = message.life.who
    if message.form == PLAIN:
        (mark,) = message.marks
        text = _line(mark, who.run, stamps)
        truth = Truth("stored", None, (_fact(text, mark, who.run),), message.repeats)
    else:
        parts = [_text(mark, who.run, stamps) for mark in message.marks]
        text, truth = _FORMS[message.form](message, parts)
    return Made(LINE, who.facility, who.host, who.path, text.encode(), message.at_ms, truth)


def _line(mark: Mark, run: str, stamps: Stamps) -> str:
    step = mark.step
    return f"{stamps.at(mark.logged_s)}{step.script}:{step.line}:{run}{step.gap}{step.stage}:{mark.key}={mark.value_s}"


def _text(mark: Mark, run: str, stamps: Stamps) -> Text:
    step = mark.step
    stamp = stamps.at(mark.logged_s)
    return Text(stamp, step.script, str(step.line), run, step.gap, step.stage, mark.key, str(mark.value_s))


def _fact(text: str, mark: Mark, run: str, flags: tuple[str, ...] = ()) -> ExpectedDocument:
    step = mark.step
    if step.gap != ":PERF:":
        flags = ("blank_before_tag", *flags)
    if mark.logged_s - mark.value_s < SKEW_SEEN_S:
        flags = tuple(sorted((*flags, "clock_skew")))
    at_ms, logged_ms = mark.value_s * 1000, mark.logged_s * 1000
    return ExpectedDocument(text, at_ms, logged_ms, run, step.stage, mark.key, step.script, step.line, flags)


def _between(message: Planned, low: int, high: int) -> int:
    """A place from `low` to `high`, both included, as the message's draw chooses."""
    return low + int(message.draw * (high - low + 1))


def _head(message: Planned, text: Text) -> str:
    """A line that broke off between its script's line number and its stage."""
    return str(text)[: _between(message, text.numbered + 1, text.staged)]


def _key(message: Planned, text: Text) -> str:
    """A line that broke off inside its key; inside its stage it would read, as a line without a value."""
    return str(text)[: _between(message, text.keyed + 1, text.keyed + len(text.key))]


def _torn_head(message: Planned, parts: Sequence[Text]) -> Answer:
    return _head(message, parts[0]), Truth("rejected", "torn")


def _torn_key(message: Planned, parts: Sequence[Text]) -> Answer:
    return _key(message, parts[0]), Truth("rejected", "torn")


def _torn_value(message: Planned, parts: Sequence[Text]) -> Answer:
    """A value of fewer digits than a time has."""
    missing = _between(message, 1, len(parts[0].value) - 1)
    return str(parts[0])[:-missing], Truth("rejected", "value")


def _torn_tail(message: Planned, parts: Sequence[Text]) -> Answer:
    """The end of a line whose beginning is not there, the stamp at least."""
    text = parts[0]
    return str(text)[_between(message, len(text.stamp) + 1, text.keyed) :], Truth("rejected", "syntax")


def _whole_half(message: Planned, parts: Sequence[Text], which: int) -> ExpectedDocument:
    return _fact(str(parts[which]), message.marks[which], message.life.who.run, ("glued",))


def _glued(message: Planned, parts: Sequence[Text]) -> Answer:
    facts = (_whole_half(message, parts, 0), _whole_half(message, parts, 1))
    return f"{parts[0]}{parts[1]}", Truth("stored", None, facts, message.repeats)


def _glued_torn_first(message: Planned, parts: Sequence[Text]) -> Answer:
    """The first broke off inside its key, and the second follows at once."""
    truth = Truth("rejected", "torn", (_whole_half(message, parts, 1),))
    return f"{_key(message, parts[0])}{parts[1]}", truth


def _glued_torn_second(message: Planned, parts: Sequence[Text]) -> Answer:
    """The second broke off before its tag."""
    text = parts[1]
    torn = str(text)[: _between(message, text.numbered + 1, text.staged - len(text.gap))]
    return f"{parts[0]}{torn}", Truth("rejected", "torn", (_whole_half(message, parts, 0),))


def _bad_value(message: Planned, parts: Sequence[Text]) -> Answer:
    value = parts[0].value
    bad = ("NaN", value + "0" * 20, value[:-1], value + "1", f"0{value[1:]}")[int(message.draw * 5)]
    return str(parts[0]._replace(value=bad)), Truth("rejected", "value")


def _mistagged(message: Planned, text: Text) -> Text:
    return text._replace(gap=text.gap.replace("PERF", ("PREF", "PERV", "PRF", "PEERF")[int(message.draw * 4)]))


def _bad_tag(message: Planned, parts: Sequence[Text]) -> Answer:
    text = str(_mistagged(message, parts[0]))
    return text[: text.rindex(f":{parts[0].key}=")], Truth("rejected", "tag")


def _bad_tag_with_pair(message: Planned, parts: Sequence[Text]) -> Answer:
    return str(_mistagged(message, parts[0])), Truth("rejected", "syntax")


def _time_ahead(message: Planned, parts: Sequence[Text]) -> Answer:
    return str(parts[0]._replace(value=str(message.marks[0].value_s + DECADES_S))), Truth("rejected", "time_ahead")


def _time_range(_: Planned, parts: Sequence[Text]) -> Answer:
    """No value, so that the stamp tells the time, and a stamp of before 2000 (of a leap year: every day exists)."""
    text = parts[0]
    return str(text._replace(stamp=f"{text.stamp[:-6]}1996: ", value="")), Truth("rejected", "time_range")


def _bad_stamp(_: Planned, parts: Sequence[Text]) -> Answer:
    weekday, _month, _day, rest = parts[0].stamp.split(" ", 3)
    return str(parts[0]._replace(stamp=f"{weekday} Feb 30 {rest}")), Truth("rejected", "stamp")


def _other_language(_: Planned, parts: Sequence[Text]) -> Answer:
    _weekday, _month, day, rest = parts[0].stamp.split(" ", 3)
    return str(parts[0]._replace(stamp=f"Ven {day} fév {rest}")), Truth("rejected", "stamp_locale")


def _poisoned(_: Planned, parts: Sequence[Text]) -> Answer:
    """A year of three digits, which Elasticsearch does not take for one, and a stage that no family knows.

    The second is for tests that make an index of their own refuse it: only its documents have `perf.stage.split`.
    """
    text = parts[0]
    year = text.stamp[-6:-2]
    early = "0400" if year.endswith("00") else f"02{year[2:]}"  # a leap year stays one
    poisoned = text._replace(stamp=f"{text.stamp[:-6]}{early}: ", stage=f"POISON-{text.stage}")
    return str(poisoned), Truth("rejected", INDEX)


def _shell(message: Planned, parts: Sequence[Text]) -> Answer:
    noise = (
        f"+ qsub -q regular {parts[0].script}",
        f"{int(message.draw * 9_000_000)}.sdb",
        "slurmstepd: error: *** JOB CANCELLED ***",
        '  File "reconstruct.py", line 12, in <module>',
    )
    return noise[int(message.draw * len(noise))], Truth("ignored")


def _stamped(_: Planned, parts: Sequence[Text]) -> Answer:
    return f"{parts[0].stamp}disk is nearly full", Truth("ignored")


def _other_tag(message: Planned, parts: Sequence[Text]) -> Answer:
    text = parts[0]
    tag = ("INFO", "ERROR", "DEBUG")[int(message.draw * 3)]
    return f"{text.stamp}{text.script}:{text.number}:{text.run}:{tag}: all is well", Truth("ignored")


_FORMS: dict[str, Callable[[Planned, Sequence[Text]], Answer]] = {
    "torn_head": _torn_head,
    "torn_key": _torn_key,
    "torn_value": _torn_value,
    "torn_tail": _torn_tail,
    "glued": _glued,
    "glued_torn_first": _glued_torn_first,
    "glued_torn_second": _glued_torn_second,
    "bad_value": _bad_value,
    "bad_tag": _bad_tag,
    "bad_tag_with_pair": _bad_tag_with_pair,
    "time_ahead": _time_ahead,
    "time_range": _time_range,
    "bad_stamp": _bad_stamp,
    "other_language": _other_language,
    POISONED: _poisoned,
    "shell": _shell,
    "stamped": _stamped,
    "other_tag": _other_tag,
}
