"""Replay of what is stored: lines into the intake topics that they came through, to be read as they were then.

Any number of workers may read them, older ones too, in any order with what is shipped meanwhile: see
core/replay/corrections.py. What is corrected is told from here: lines that a lower revision read are read once more, by
the very code of a worker.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, groupby

from ingest.config.settings import Settings
from ingest.core.batching import batched
from ingest.core.cache import Cache
from ingest.core.decode.decoder import Decoder
from ingest.core.decode.fast_routing import ORIGINS
from ingest.core.decode.registry import Registry
from ingest.core.ids import revision_of
from ingest.core.kafka_record import ConsumerRecord, Partition, ProducerRecord
from ingest.core.model import Intake, Problem
from ingest.core.records.decoded import DecodedBatch
from ingest.core.records.headers import STORED, Headers, to_headers
from ingest.core.records.record_decoder import RecordDecoder
from ingest.core.replay.corrections import CORRECTED
from ingest.core.replay.stored_line import DocumentVersion, StoredLine
from ingest.edge.elasticsearch.facts import FactQuery, open_facts
from ingest.edge.errors import RequestTooLarge, Unavailable
from ingest.edge.kafka.producer import AcknowledgedProducer, open_producer
from ingest.pipeline.intake.paced import send_paced
from ingest.pipeline.intake.ship import CHUNK_MESSAGES, flights
from ingest.pipeline.replay.lines import Assembler, Progress, StoredFileLine, lines
from ingest.pipeline.replay.orphans import remove_orphans
from ingest.pipeline.replay.prefetch import done_behind

EXAMPLES = 3
TOGETHER_BYTES = 32 * 1024 * 1024
NEW = "new"


@dataclass(frozen=True, slots=True)
class Change:
    """An example: a line, and what became of a document of it; `made` None where nothing did."""

    line: bytes
    former: DocumentVersion
    made: DocumentVersion | None


@dataclass(slots=True)
class Corrections:
    """What a reading by the grammars of now corrects; counts are documents.

    Attributes:
        same: documents that stay as they are.
        words: corrected, and of those to another index, run or time; gone; new ones beside those that were there.
        rejects: lines that are refused now, by reason.
        examples: by word.
    """

    same: int = 0
    words: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Change]] = field(default_factory=dict)

    def add(self, records: Sequence[ConsumerRecord], reading: DecodedBatch) -> None:
        """Take in what became of some lines."""
        self.same += len(reading.there)
        self.words[CORRECTED] += len(reading.corrected)
        for n, verdict in reading.judged.items():
            for word, former, made in verdict.changes:
                self.words[word] += 1
                some = self.examples.setdefault(word, [])
                if len(some) < EXAMPLES:
                    some.append(Change(records[n].value or b"", former, made))
        self.words[NEW] += sum(verdict.added for verdict in reading.judged.values())
        for special in reading.special.values():
            self.rejects.update(reject.reason for _, reject in special.refused)


@dataclass(slots=True)
class LinesReport:
    """What was sent, or would be (`dry_run`): lines by topic; what cannot be, and why (documents).

    `left_behind`: marks that were taken out of runs they are of no more (see orphans.py).
    """

    dry_run: bool
    topics: Counter[str] = field(default_factory=Counter)
    corrections: Corrections = field(default_factory=Corrections)
    left_out: dict[str, int] = field(default_factory=dict)
    left_behind: int = 0

    @property
    def lines(self) -> int:
        """How many lines."""
        return self.topics.total()


class Resender:
    """Makes letters of lines, and tells what their reading will correct."""

    def __init__(self, settings: Settings, known: Registry, report: LinesReport) -> None:
        """Bind what reads, and the report that is filled."""
        self._settings, self._known, self._report = settings, known, report
        self._revisions = {name: source.revision for name, source in known.sources.items()}
        self._readers: dict[str, RecordDecoder] = {}
        self._heads = Cache(lambda origin: to_headers(replace(origin, offset_bytes=None), backfill=False), ORIGINS)
        self._numbers = count()

    def letters(self, some: Sequence[StoredFileLine]) -> list[ProducerRecord]:
        """The letters of lines that were read together; those of one origin follow one another."""
        found: list[ProducerRecord] = []
        for (_, origin), each in groupby(some, lambda line: (line.intake.name, line.origin)):
            mine, head = list(each), self._heads[origin]
            letters = [self._letter(line, head) for line in mine]
            self._foresee(mine, letters, head)
            self._report.topics[mine[0].intake.topic] += len(letters)
            found += letters
        return found

    def _letter(self, line: StoredFileLine, head: Headers) -> ProducerRecord:
        run = line.told.formers[0].run  # all lines of a run to one partition, in their order: it is derived anew once
        where = run or f"{line.origin.host}:{line.origin.path}#{next(self._numbers) // CHUNK_MESSAGES}"
        headers = (*head, (STORED, line.told.text))
        return ProducerRecord(line.intake.topic, where.encode("utf-8", "replace"), line.data, headers)

    def _foresee(self, some: Sequence[StoredFileLine], letters: Sequence[ProducerRecord], head: Headers) -> None:
        at = Partition(some[0].intake.topic, 0)
        told: list[StoredLine] = []
        records: list[ConsumerRecord] = []
        for line, letter in zip(some, letters, strict=True):
            if self._is_older(line):
                stored = letter.headers[-1]
                records.append(ConsumerRecord(at, len(told), line.told.created_ms, None, line.data, head, stored))
                told.append(line.told)
            else:
                self._report.corrections.same += len(line.told.formers)
        if records:
            reading = self._reader(some[0].intake).read_again(records, told)
            self._report.corrections.add(records, reading)

    def _is_older(self, line: StoredFileLine) -> bool:
        """Whether any document of it was read by another revision than that of now."""
        now = self._revisions.get
        return any(now(former.source) != revision_of(former.version) for former in line.told.formers)

    def _reader(self, intake: Intake) -> RecordDecoder:
        if intake.name not in self._readers:
            flow = Decoder(intake, self._known.sources, self._known.schema, self._settings.sites, self._known.wrappers)
            self._readers[intake.name] = RecordDecoder(flow)
        return self._readers[intake.name]


def resend(
    settings: Settings,
    known: Registry,
    wanted: FactQuery,
    *,
    rate: float | None = None,
    dry_run: bool = False,
    progress: Progress = lambda _done, _of: None,
) -> LinesReport:
    """Send the lines of the facts that are meant; returns when Kafka has acknowledged all, `rate` lines a second.

    `progress` hears how many documents are done, of how many. Raises `Problem` (69) when a service does not answer.
    """
    report = LinesReport(dry_run)
    again = Resender(settings, known, report)
    assembler = Assembler(settings, known.sources)
    with open_facts(settings.elasticsearch) as stored_facts, open_producer(settings.kafka) as outbox:
        pages = (again.letters(some) for some in lines(stored_facts, wanted, assembler, progress))
        letters = by_run(pages)
        if dry_run:
            for _ in pages:
                pass
        elif rate:
            send_paced(outbox, letters, rate)
        else:
            done_behind(flights(letters), lambda some: _send(outbox, some))
    report.left_out = assembler.left.out
    if not dry_run:
        report.left_behind = remove_orphans(settings, known, wanted, assembler.newest)
    return report


def by_run(pages: Iterable[Sequence[ProducerRecord]]) -> Iterator[ProducerRecord]:
    """The letters of one run behind one another, as far as memory allows: then a run is derived anew once.

    Of one run those of one origin are together, which are read by one way.
    """
    for some in batched(pages, lambda page: sum([letter.size_bytes for letter in page]), TOGETHER_BYTES):
        letters = [letter for page in some for letter in page]
        letters.sort(key=lambda letter: (letter.topic, letter.key or b"", letter.headers[:-1]))
        yield from letters


def _send(outbox: AcknowledgedProducer, flight: Sequence[ProducerRecord]) -> None:
    try:
        outbox.send(flight)
    except (Unavailable, RequestTooLarge) as error:
        what = f"Kafka stopped taking lines ({error})."
        raise Problem(what, "Replay again: what arrives twice changes nothing.", 69) from error
