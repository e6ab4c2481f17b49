"""Lint lines for missing information, by the place that prints them: no end, no host, an ambiguous zone.

The rules are data (lint_rules.py); this module decodes lines, identifies the places and counts the hits. Memory grows
with the number of stages, not of lines.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Any

from ingest.core.authoring.lint_rules import CONDITIONS, SHIFTED, UNENDED, LintRule
from ingest.core.authoring.wording import BEFORE_SOURCES
from ingest.core.authoring.zone_faults import ZoneFault, ZoneFaults
from ingest.core.decode.decoder import Decoder
from ingest.core.lookup import lookup
from ingest.core.model import Document, Message, ParsedMessage, Reject
from ingest.core.sources.grammar import GrammarReader
from ingest.core.sources.readers import canonical
from ingest.core.sources.source import Source

SCRIPT, LINE = "log.origin.file.name", "log.origin.file.line"
STARTS = {"start", "queued", "work"}
REJECTED_LINE = LintRule(
    "refused", ("*",), "", (), "The whole line: no source reads it.", "sed -n {number}p {file} | perflog explain"
)


@dataclass(frozen=True, slots=True)
class Site:
    """A place that prints lines: script and line number if the lines name them, else whatever they name instead."""

    name: str
    script: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a rule at a site: `lines` of `of` lines hit, the first in `first` (file:line), and the `fix`.

    The site of a result about a host is the host's name; `of` then counts the lines that failed the self-check.
    """

    site: Site
    rule: LintRule
    lines: int
    of: int
    first: str
    fix: str
    zone_fault: ZoneFault | None = None


@dataclass(slots=True)
class Linter:
    """Counts hits over any number of messages; `rules` by source."""

    sources: Mapping[str, Source]
    rules: Mapping[str, Sequence[LintRule]]
    sites: Counter[Site] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    _hits: Counter[tuple[Site, LintRule]] = field(default_factory=Counter)
    _first: dict[tuple[Site, LintRule], tuple[str, int]] = field(default_factory=dict)
    _open: Counter[tuple[Site, LintRule, frozenset[Any]]] = field(default_factory=Counter)
    _ended: set[Any] = field(default_factory=set)
    _zones: dict[LintRule, ZoneFaults] = field(default_factory=dict)

    def add(self, file: str, number: int, message: Message, decoder: Decoder) -> None:
        """Decode one message, which begins on line `number` of `file`, and count its hits."""
        outcomes = decoder.decode(message, message.record_time_ms)
        if outcomes.documents:
            piece = decoder.behind_prefix(message)
            self._add_documents(file, number, (piece.message if piece else message).data, outcomes.documents)
            self.outcomes["documents"] += 1
        elif outcomes.rejects and not self._is_foreign(outcomes.rejects[0], decoder):
            self._add_reject(file, number, outcomes.rejects[0])
            self.outcomes["refused"] += 1
        else:
            self.outcomes["ignored"] += 1

    def _is_foreign(self, reject: Reject, decoder: Decoder) -> bool:
        """Whether one of several sources, without a gate, rejects the first character: another program's line."""
        if reject.source is None:
            return reject.reason not in BEFORE_SOURCES
        source = self.sources[reject.source]
        return source.gate is None and (reject.line, reject.column) == (1, 1) and len(decoder.intake.sources) > 1

    def findings(self) -> Iterator[Finding]:
        """The results by site, in the order of their first lines; then the results about hosts."""
        hits = Counter(self._hits)
        for (site, rule, keys), lines in self._open.items():
            if keys - self._ended:
                hits[site, rule] += lines
        for site, of in self.sites.items():
            for (where, rule), lines in hits.items():
                if where == site:
                    file, number = self._first[site, rule]
                    yield Finding(site, rule, lines, of, f"{file}:{number}", _fix(rule, site, file, number))
        for rule, zones in self._zones.items():
            for fault in zones.by_host():
                yield _host_finding(rule, fault)

    def _add_documents(self, file: str, number: int, data: bytes, documents: Sequence[Document]) -> None:
        """Count the hits of a line that was read; `data` is the line without its prefix."""
        source = self.sources[documents[0].body["perf"]["source"]]
        record = source.reader.read(canonical(data))
        site = _site(documents[0].body, file)
        self.sites[site] += 1
        for rule in self.rules[source.name]:
            if rule.condition == UNENDED:
                self._add_unended(rule, site, (file, number), documents)
            elif rule.condition == SHIFTED and source.stamp:
                zones = self._zones.setdefault(rule, ZoneFaults())
                zones.add(file, number, documents, source.stamp.earliest_lag_s)
            elif isinstance(record, ParsedMessage) and CONDITIONS[rule.condition](rule, documents, record):
                self._hit(site, rule, file, number)

    def _add_unended(self, rule: LintRule, site: Site, where: tuple[str, int], documents: Sequence[Document]) -> None:
        keys: dict[str, set[Any]] = {"start": set(), "end": set()}
        for document in documents:
            role = lookup(document.body, "perf.mark.role")
            key = (lookup(document.body, "perf.run.id"), lookup(document.body, "perf.stage.name"))
            keys["start" if role in STARTS else "end"] |= {key} if role in STARTS or role == "end" else set()
        self._ended |= keys["end"]
        if keys["start"]:
            self._open[site, rule, frozenset(keys["start"])] += 1
            self._first.setdefault((site, rule), where)

    def _add_reject(self, file: str, number: int, reject: Reject) -> None:
        source = self.sources.get(reject.source or "")
        site = _site_of_reject(source, reject.original, file) if source else Site(file)
        self.sites[site] += 1
        self._hit(site, REJECTED_LINE, file, number)

    def _hit(self, site: Site, rule: LintRule, file: str, number: int) -> None:
        self._hits[site, rule] += 1
        self._first.setdefault((site, rule), (file, number))


def _host_finding(rule: LintRule, fault: ZoneFault) -> Finding:
    site, file, number = Site(fault.host), fault.file, fault.number
    return Finding(site, rule, fault.lines, fault.failed, f"{file}:{number}", _fix(rule, site, file, number), fault)


def _site(body: Mapping[str, Any], file: str) -> Site:
    script, line = lookup(body, SCRIPT), lookup(body, LINE)
    if script is not None:
        return Site(script if line is None else f"{script}:{line}", script, line)
    stage, ends = lookup(body, "perf.stage.name"), [lookup(body, f"{end}.address") for end in ("source", "destination")]
    return Site(stage or (" → ".join(ends) if all(ends) else file))


def _site_of_reject(source: Source, data: bytes, file: str) -> Site:
    """The script and line number of a rejected line, if they were read before the fault."""
    if not isinstance(source.reader, GrammarReader) or len(data) > source.max_bytes:
        return Site(file)
    tokens = source.reader.tokens(canonical(data).decode("utf-8", "replace"))
    texts = {token.terminal: token.text for token in tokens}
    read = {
        read_rule.field: next((texts[path] for path in read_rule.paths if path in texts), None)
        for read_rule in source.reads
    }
    script, line = read.get(SCRIPT), read.get(LINE)
    if script is None or line is None or not line.isdecimal():
        return Site(file)
    script = script.rpartition("/")[2]
    return Site(f"{script}:{int(line)}", script, int(line))


def _fix(rule: LintRule, site: Site, file: str, number: int) -> str:
    """The rule's shell line for a site; names come from the log, so they are quoted and no shell executes them."""
    values = {"script": site.script or "SCRIPT", "line": str(site.line or "LINE"), "file": file, "number": str(number)}
    fix = rule.fix
    for name, text in values.items():
        fix = fix.replace(f"{{{name}}}", quote(text))
    return fix
