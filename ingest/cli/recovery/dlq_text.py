"""Text output of `perflog dlq`: words, tables and layout only."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table, pointed, visible
from ingest.cli.format import NONE, minute, plural
from ingest.core.authoring.explain import character_of
from ingest.core.authoring.nearest import examples
from ingest.core.authoring.wording import terminal_words
from ingest.core.model import Outcomes
from ingest.core.sources.source import Source
from ingest.edge.elasticsearch.rejects import StoredReject
from ingest.pipeline.deadletters.inspect import COPY, INDEX, LETTER, RECORD, Listed, Listing, Original
from ingest.pipeline.deadletters.purge import PurgeReport
from ingest.pipeline.deadletters.replay import ReplayReport

WIDE_COLUMNS = 150  # from this width on a shape is one line
HEX_ROWS = 16
HEX_BYTES = 16
MOST_LINES = 40
MOST_NOT_SENT = 20
_FOUND_IN = {
    LETTER: "the dead-letter topic",
    RECORD: "the intake topic: its letter is gone",
    COPY: "the intake topic, as it was replayed: its letter and the record itself are gone",
    INDEX: "the index: Kafka has none of it any more. Key, and headers that perflog does not know, are lost",
}
_FROM = {LETTER: "letters", RECORD: "records of the intake", COPY: "earlier replays", INDEX: "the index"}


def show_listing(found: Listing, screen: Console) -> None:
    """Print a line per shape if it fits, else a block of three lines; and the totals."""
    if found.shapes:
        (_wide if screen.width >= WIDE_COLUMNS else _narrow)(found, screen)
        screen.print()
    if found.total == 0:
        screen.print(f"Nothing was refused yet; {_letters(found)}.")
        return
    of = "" if found.matching == found.total else f" of {found.total:,}"
    shapes = f" in {plural(len(found.shapes), 'shape')}" if found.shapes else ""
    screen.print(f"{found.matching:,}{of} rejects{shapes}; {_letters(found)}.")
    if any(listed.group.replayed for listed in found.shapes):
        screen.print("replayed: sent again; stored: a copy has made a fact since")


def _letters(listing: Listing) -> str:
    if listing.letters is None:
        return f"how many letters there are is not known: {(listing.trouble or '').rstrip('.')}"
    return f"{listing.letters:,} letters in the dead-letter topic"


def _wide(listing: Listing, screen: Console) -> None:
    table = plain_table()
    for column in ("count", "first (UTC)", "last (UTC)", "reason", "source"):
        table.add_column(column, justify="right" if column == "count" else "left", no_wrap=True)
    table.add_column("replayed", no_wrap=True)
    table.add_column("where it broke, and how", overflow="fold", ratio=1)
    table.add_column("newest", no_wrap=True)
    for listed in listing.shapes:
        table.add_row(*_cells(listed), Text(_shape(listed)), Text(listed.group.newest, style="dim"))
    screen.print(table)


def _narrow(listing: Listing, screen: Console) -> None:
    """Print the numbers as a table, and under each row whatever does not fit beside it."""
    heads = ("count", "first (UTC)", "last (UTC)", "reason", "source", "replayed")
    rows = [_cells(listed) for listed in listing.shapes]
    widths = [max(len(row[n]) for row in [heads, *rows]) for n in range(len(heads))]
    screen.print(Text(_row(heads, widths), style="bold"))
    for listed, row in zip(listing.shapes, rows, strict=True):
        screen.print(Text(_row(row, widths)))
        indent = widths[0] + 2
        for text, style in ((_shape(listed), "bold"), (listed.group.newest, "dim")):
            for line in Text(text, style=style).wrap(screen, max(screen.width - indent, 20)):
                screen.print(Text(" " * indent) + line)


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return "  ".join([first[0].rjust(first[1]), *(cell.ljust(width) for cell, width in rest)]).rstrip()


def _cells(listed: Listed) -> tuple[str, ...]:
    group = listed.group
    stored = f", {listed.stored:,} stored" if group.replayed else ""
    replayed = f"{group.replayed:,}{stored}" if group.replayed else NONE
    times = minute(group.first_ms), minute(group.last_ms)
    return f"{group.count:,}", *times, visible(group.reason), visible(group.source or NONE), replayed


def _shape(listed: Listed) -> str:
    return visible(listed.group.shape or "from before shapes were stored")


def show_reject(
    found: StoredReject,
    original: Original | None,
    parts: list[str],
    now: Outcomes | None,
    sources: Mapping[str, Source],
    screen: Console,
) -> None:
    """Print one reject: where it broke, as `explain` shows it, then the record as received."""
    _broken(found, sources, screen)
    screen.print()
    _facts(found, original, parts, now, screen)
    if original is None:
        return
    screen.print()
    _headers(original, screen)
    _value(original, screen)


def _broken(reject: StoredReject, sources: Mapping[str, Source], screen: Console) -> None:
    line, column = reject.value("perf.reject.line") or 1, reject.value("perf.reject.column")
    where = f"line {line}" + (f", column {column}" if column else "")
    source = reject.value("perf.source")
    says = "Elasticsearch" if reject.value("perf.reject.stage") == "index" else source or "the intake's wrapper"
    reason = (reject.value("error.type") or "", "bold red")
    screen.print(Text.assemble((f"{where}: ", "bold"), reason, f", says {visible(says)}"))
    text = reject.value("event.original")
    if text and column:
        pointed(text, character_of(text, line, column), screen)
    words = dict.fromkeys(
        _words(sources.get(source or ""), name) for name in reject.value("perf.reject.expected") or ()
    )
    if words:
        screen.print(Text.assemble(("  expected ", "bold"), visible(" or ".join(words))))
    screen.print(Text.assemble(("  found    ", "bold"), visible(reject.value("error.message") or "")))


def _words(source: Source | None, name: str) -> str:
    return terminal_words(source, name, examples(source)) if source else name


def _facts(
    reject: StoredReject, original: Original | None, parts: list[str], now: Outcomes | None, screen: Console
) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = {
        "id": reject.id,
        "index": reject.index,
        "shape": reject.value("perf.reject.shape"),
        "facility": reject.value("perf.facility"),
        "intake": reject.value("perf.intake"),
        "record time": reject.value("event.created"),
        "indexed": reject.value("event.ingested"),
        "host": reject.value("host.name"),
        "file": _file(reject),
        "forwarder": reject.value("provenance.forwarder"),
        "letter": reject.value("perf.reject.letter"),
        "replayed": _replayed(reject),
        "other parts": ", ".join(parts) or None,
        "bytes from": _bytes_from(original),
        "read today": _today(now),
    }
    for name, value in rows.items():
        if value is not None:
            table.add_row(name, Text(visible(str(value))))
    screen.print(table)


def _file(reject: StoredReject) -> str | None:
    path, offset = reject.value("log.file.path"), reject.value("log.offset")
    return path if offset is None or path is None else f"{path} at byte {offset:,}"


def _replayed(reject: StoredReject) -> str | None:
    times, copies = reject.value("perf.reject.replays"), reject.value("perf.reject.replayed_as") or ()
    if not times:
        return None
    often = "once" if times == 1 else f"{times:,} times"
    return f"{often}, at {reject.value('perf.reject.replayed')}" + (f", as {', '.join(copies)}" if copies else "")


def _bytes_from(original: Original | None) -> str:
    if original is None:
        return "nowhere: neither Kafka nor the index has them any more"
    at = f" ({original.at})" if original.at else ""
    return _FOUND_IN[original.found_in] + at


def _today(now: Outcomes | None) -> str | None:
    """Say whether a replay would help, without asking Elasticsearch."""
    if now is None:
        return None
    documents = len(now.documents)
    made = [plural(documents, "document")] if documents else []
    still = sorted({reject.reason for reject in now.rejects})
    parts = made + ([f"refused still ({', '.join(still)})"] if still else [])
    return " and ".join(parts) or "ignored: somebody else's line"


def _headers(original: Original, screen: Console) -> None:
    screen.print(Text.assemble(("key      ", "bold"), _line(original.key)))
    for name, value in original.headers:
        screen.print(Text.assemble(("header   ", "bold"), f"{visible(name)}: ", _line(value)))


def _line(data: bytes | None) -> str:
    """Format bytes on one line: as text if they are UTF-8, else in hexadecimal."""
    if data is None:
        return NONE
    try:
        return visible(data.decode()).replace("\n", "␤")
    except UnicodeDecodeError:
        return f"0x{data[:64].hex()}{'…' if len(data) > 64 else ''}"


def _value(original: Original, screen: Console) -> None:
    """Print the value as text, made harmless, or as bytes if it is not text. `--raw` prints it unchanged."""
    value = original.value
    if value is None:
        screen.print(Text.assemble(("value    ", "bold"), "none"))
        return
    screen.print(Text.assemble(("value    ", "bold"), f"{len(value):,} bytes"))
    try:
        lines = visible(value.decode()).split("\n")
    except UnicodeDecodeError:
        lines = [_hex_row(value, at) for at in range(0, min(len(value), HEX_ROWS * HEX_BYTES), HEX_BYTES)]
        if len(value) > HEX_ROWS * HEX_BYTES:
            lines.append("…")
    wide = screen.width * 4
    for line in lines[:MOST_LINES]:
        screen.print(Text(f"  {line[:wide]}{'…' if len(line) > wide else ''}"), soft_wrap=True)
    if len(lines) > MOST_LINES:
        screen.print(Text(f"  … {len(lines) - MOST_LINES:,} more lines", style="dim"))


def _hex_row(value: bytes, at: int) -> str:
    row = value[at : at + HEX_BYTES]
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in row)
    return f"{at:06x}  {row.hex(' '):<{HEX_BYTES * 3 - 1}}  {text}"


def show_replay(report: ReplayReport, screen: Console) -> None:
    """Print what was sent where, from which copies; what was left out or could not be sent."""
    verb = "would be sent" if report.dry_run else "sent and marked"
    screen.print(f"{plural(report.records, 'record')} {verb}.")
    for topic, records in report.topics.most_common():
        screen.print(f"  {records:,} to {topic}")
    for where, records in report.found_in.most_common():
        if where != LETTER:
            screen.print(f"  {records:,} from {_FROM[where]}: their letters are gone", style="yellow")
    if report.before:
        screen.print(f"{report.before:,} left out: replayed before (--again sends them too).")
    for reject_id, why in report.not_sent[:MOST_NOT_SENT]:
        screen.print(Text(f"{visible(reject_id)}: not sent, {why}.", style="yellow"))
    if len(report.not_sent) > MOST_NOT_SENT:
        screen.print(f"… and {len(report.not_sent) - MOST_NOT_SENT:,} more (--json names all).", style="yellow")


def show_purge(report: PurgeReport, screen: Console) -> None:
    """Print what was deleted from the index and from the topic."""
    letters = f"{report.letters:,} letters gone from the dead-letter topic, {report.letters_left:,} left there"
    screen.print(f"{report.rejects:,} rejects deleted; {letters}.")
    if report.kept_because:
        screen.print(f"No letter went: {report.kept_because}.", style="yellow")
