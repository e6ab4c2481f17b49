"""Stand-in for ingest.synthetic.workload until it is there: the same interface."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

PST = timezone(timedelta(hours=-8))


@dataclass(frozen=True, slots=True)
class Shares:
    torn: float = 0
    glued: float = 0
    refused: float = 0
    poisoned: float = 0
    foreign: float = 0
    repeated: float = 0


@dataclass(frozen=True, slots=True)
class Workload:
    seed: int = 1
    lines: int = 20_000
    facilities: tuple[str, ...] = ("als",)
    start_ms: int = 1_454_313_600_000
    span_s: float = 86_400.0
    shares: Shares = Shares()


@dataclass(frozen=True, slots=True)
class Fact:
    original: str
    at_ms: int
    logged_ms: int
    run: str | None
    stage: str
    key: str
    script: str
    script_line: int


@dataclass(frozen=True, slots=True)
class Truth:
    outcome: str
    reason: str | None
    facts: tuple[Fact, ...]
    repeats: bool


@dataclass(frozen=True, slots=True)
class Made:
    kind: str
    facility: str
    host: str
    path: str
    data: bytes
    at_ms: int
    truth: Truth


def messages(w: Workload) -> Iterator[Made]:
    rng = random.Random(w.seed)
    past: list[Made] = []
    for n in range(w.lines):
        at_s = w.start_ms // 1000 + int(w.span_s * n / w.lines)
        logged_s = at_s + rng.randrange(3)
        run = f"{100000 + n // 20}-{n // 20 % 9973}"
        stage = rng.choice(["SUBMIT_NORM", "SUBMIT_GAL-gal-sino", "SUBMIT_H5-sino", "SUBMIT_ROT"])
        stamp = datetime.fromtimestamp(logged_s, UTC).astimezone(PST).strftime("%a %b %e %H:%M:%S PST %Y")
        head = f"{stamp}: submit.sh:{n % 1000}:{run}"
        text = f"{head}:PERF:{stage}:START_DATE={at_s}"
        dice = rng.random()
        s = w.shares
        host, path = "beamline", "/data/a.log"

        def made(data: bytes, truth: Truth) -> Made:
            return Made("line", w.facilities[0], host, path, data, logged_s * 1000, truth)

        if dice < s.torn:
            yield made(f"{stamp}: submit.sh:{n}: PE".encode(), Truth("rejected", "torn", (), False))
        elif (dice := dice - s.torn) < s.refused:
            yield made(f"{text}{10**20}x{n}".encode(), Truth("rejected", "value", (), False))
        elif (dice := dice - s.refused) < s.foreign:
            yield made(f"{stamp}: copying {n} files".encode(), Truth("ignored", None, (), False))
        elif dice - s.foreign < s.repeated and past:
            again = rng.choice(past)
            yield made(again.data, Truth("stored", None, again.truth.facts, True))
        else:
            fact = Fact(text, at_s * 1000, logged_s * 1000, run, stage, "START_DATE", "submit.sh", n % 1000)
            one = made(text.encode(), Truth("stored", None, (fact,), False))
            past.append(one)
            yield one
