"""Replays stored lines: sends them to the intake topics they came through, to be read with their original record time.

Any number of workers may read them, older ones too, and in any order with newly shipped lines: see
core/replay/corrections.py. The report of corrections is computed here: lines that a lower revision read are decoded
again by the worker's own code.
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
from ingest.core.model import ExitCode, Intake, Problem, Provenance
from ingest.core.records.decoded import DecodedBatch
from ingest.core.records.headers import STORED, Headers, to_headers
from ingest.core.records.record_decoder import RecordDecoder
from ingest.core.replay.corrections import CORRECTED
from ingest.core.replay.stored_line import DocumentVersion, StoredLine
from ingest.edge.elasticsearch.facts import FactQuery, open_facts
from ingest.edge.errors import RequestTooLarge, Unavailable
from ingest.edge.kafka.producer import AcknowledgedProducer, open_producer
from ingest.pipeline.intake.paced import send_paced
from ingest.pipeline.intake.ship import CHUNK_MESSAGES, group_records
from ingest.pipeline.replay.lines import Assembler, Progress, StoredFileLine, lines
from ingest.pipeline.replay.orphans import remove_orphans
from ingest.pipeline.replay.prefetch import process_behind

EXAMPLES = 3
TOGETHER_BYTES = 32 * 1024 * 1024
NEW = "new"


@dataclass(frozen=True, slots=True)
class Change:
    """An example of a correction: a line and one of its documents before and after; `made` is None if it is gone."""

    line: bytes
    old: DocumentVersion
    made: DocumentVersion | None


@dataclass(slots=True)
class Corrections:
    """What the current grammars would correct; counts are documents.

    Attributes:
        same: documents that stay as they are.
        words: corrected, and of those moved to another index, run or time; gone; new ones beside the existing ones.
        rejects: lines that are rejected now, by reason.
        examples: by word.
    """

    same: int = 0
    words: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Change]] = field(default_factory=dict)

    def add(self, records: Sequence[ConsumerRecord], decoded: DecodedBatch) -> None:
        """Count the results of decoding some lines."""
        self.same += len(decoded.already_stored)
        self.words[CORRECTED] += len(decoded.corrected)
        for n, verdict in decoded.reconciled.items():
            for word, old, made in verdict.changes:
                self.words[word] += 1
                changes = self.examples.setdefault(word, [])
                if len(changes) < EXAMPLES:
                    changes.append(Change(records[n].value or b"", old, made))
        self.words[NEW] += sum(verdict.added for verdict in decoded.reconciled.values())
        for special in decoded.special.values():
            self.rejects.update(reject.reason for _, reject in special.rejects)


@dataclass(slots=True)
class LinesReport:
    """Lines sent, or to be sent (`dry_run`), by topic; and documents whose lines cannot be sent, by reason.

    `left_behind`: marks that were removed from runs they no longer belong to (see orphans.py).
    """

    dry_run: bool
    topics: Counter[str] = field(default_factory=Counter)
    corrections: Corrections = field(default_factory=Corrections)
    left_out: dict[str, int] = field(default_factory=dict)
    left_behind: int = 0

    @property
    def lines(self) -> int:
        """The number of lines."""
        return self.topics.total()


class Resender:
    """Makes Kafka records of stored lines, and predicts what reading them will correct."""

    def __init__(self, settings: Settings, registry: Registry, report: LinesReport) -> None:
        """Bind the settings and the registry, and the report to fill."""
        self._settings, self._registry, self._report = settings, registry, report
        self._revisions = {name: source.revision for name, source in registry.sources.items()}
        self._decoders: dict[str, RecordDecoder] = {}
        self._heads: Cache[Provenance, Headers] = Cache(
            lambda origin: to_headers(replace(origin, offset_bytes=None), backfill=False), ORIGINS
        )
        self._numbers = count()

    def records(self, stored_lines: Sequence[StoredFileLine]) -> list[ProducerRecord]:
        """The Kafka records of some lines; records of one origin are adjacent."""
        records: list[ProducerRecord] = []
        for (_, origin), group in groupby(stored_lines, lambda line: (line.intake.name, line.origin)):
            same_origin, origin_headers = list(group), self._heads[origin]
            group_records = [self._record(line, origin_headers) for line in same_origin]
            self._predict(same_origin, group_records, origin_headers)
            self._report.topics[same_origin[0].intake.topic] += len(group_records)
            records += group_records
        return records

    def _record(self, line: StoredFileLine, origin_headers: Headers) -> ProducerRecord:
        run = line.stored_line.previous[0].run  # all lines of a run to one partition, in order: it is derived once
        key = run or f"{line.origin.host}:{line.origin.path}#{next(self._numbers) // CHUNK_MESSAGES}"
        headers = (*origin_headers, (STORED, line.stored_line.text))
        return ProducerRecord(line.intake.topic, key.encode("utf-8", "replace"), line.data, headers)

    def _predict(
        self, stored_lines: Sequence[StoredFileLine], sent_records: Sequence[ProducerRecord], origin_headers: Headers
    ) -> None:
        partition = Partition(stored_lines[0].intake.topic, 0)
        line_headers: list[StoredLine] = []
        records: list[ConsumerRecord] = []
        for line, sent_record in zip(stored_lines, sent_records, strict=True):
            if self._is_older(line):
                stored = sent_record.headers[-1]
                records.append(
                    ConsumerRecord(
                        partition,
                        len(line_headers),
                        line.stored_line.created_ms,
                        None,
                        line.data,
                        origin_headers,
                        stored,
                    )
                )
                line_headers.append(line.stored_line)
            else:
                self._report.corrections.same += len(line.stored_line.previous)
        if records:
            decoded = self._decoder(stored_lines[0].intake).reread(records, line_headers)
            self._report.corrections.add(records, decoded)

    def _is_older(self, line: StoredFileLine) -> bool:
        """Whether any of its documents was read by another revision than the current one."""
        current_revision = self._revisions.get
        return any(current_revision(old.source) != revision_of(old.version) for old in line.stored_line.previous)

    def _decoder(self, intake: Intake) -> RecordDecoder:
        if intake.name not in self._decoders:
            registry = self._registry
            decoder = Decoder(intake, registry.sources, registry.schema, self._settings.sites, registry.wrappers)
            self._decoders[intake.name] = RecordDecoder(decoder)
        return self._decoders[intake.name]


def resend(
    settings: Settings,
    registry: Registry,
    query: FactQuery,
    *,
    rate: float | None = None,
    dry_run: bool = False,
    progress: Progress = lambda _done, _of: None,
) -> LinesReport:
    """Send the selected lines at `rate` lines a second, if given; return when Kafka has acknowledged all of them.

    `progress` is called with the documents done and their total. Raises `Problem` (69) when a service does not answer.
    """
    report = LinesReport(dry_run)
    resender = Resender(settings, registry, report)
    assembler = Assembler(settings, registry.sources)
    with open_facts(settings.elasticsearch) as stored_facts, open_producer(settings.kafka) as producer:
        pages = (resender.records(page_lines) for page_lines in lines(stored_facts, query, assembler, progress))
        records = sort_by_run(pages)
        if dry_run:
            for _ in pages:
                pass
        elif rate:
            send_paced(producer, records, rate)
        else:
            process_behind(group_records(records), lambda flight: _send(producer, flight))
    report.left_out = assembler.left.out
    if not dry_run:
        report.left_behind = remove_orphans(settings, registry, query, assembler.newest)
    return report


def sort_by_run(pages: Iterable[Sequence[ProducerRecord]]) -> Iterator[ProducerRecord]:
    """Sort the records so that those of one run are adjacent, as far as memory allows: then a run is derived once.

    Within a run, records of one origin are adjacent as well, and share one decoding path.
    """
    for group in batched(pages, lambda page: sum([record.size_bytes for record in page]), TOGETHER_BYTES):
        records = [record for page in group for record in page]
        records.sort(key=lambda record: (record.topic, record.key or b"", record.headers[:-1]))
        yield from records


def _send(producer: AcknowledgedProducer, flight: Sequence[ProducerRecord]) -> None:
    try:
        producer.send(flight)
    except (Unavailable, RequestTooLarge) as error:
        problem = f"Kafka stopped accepting lines ({error})."
        raise Problem(problem, "Replay again: lines that arrive twice change nothing.", ExitCode.UNAVAILABLE) from error
