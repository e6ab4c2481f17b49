"""Text output of `perflog dlq`: words, tables and layout only."""

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from ingest.cli.console import plain_table, print_pointer
from ingest.cli.format import NONE, format_count, format_minute
from ingest.core.authoring.explain import character_of
from ingest.core.authoring.nearest import examples
from ingest.core.authoring.wording import terminal_words
from ingest.core.model import Outcomes
from ingest.core.sources.source import Source
from ingest.edge.elasticsearch.rejects import StoredReject
from ingest.pipeline.deadletters.inspect import COPY, INDEX, LETTER, RECORD, Listed, Listing, Original
from ingest.pipeline.deadletters.purge import PurgeReport
from ingest.pipeline.deadletters.replay import ReplayReport
from ingest.telemetry import make_visible

WIDE_COLUMNS = 150  # from this width on a shape is one line
HEX_ROWS = 16
HEX_BYTES = 16
MOST_LINES = 40
MOST_NOT_SENT = 20
_FOUND_IN = {
    LETTER: "the dead-letter topic",
    RECORD: "the intake topic: its letter was deleted",
    COPY: "the intake topic, as it was replayed: its letter and the record itself were deleted",
    INDEX: "the index: Kafka no longer has the record. Its key, and headers that perflog does not know, are lost",
}
_FROM = {LETTER: "letters", RECORD: "records of the intake", COPY: "earlier replays", INDEX: "the index"}


def show_listing(listing: Listing, console: Console) -> None:
    """Print a line per shape if it fits, else a block of three lines; and the totals."""
    if listing.shapes:
        (_print_wide if console.width >= WIDE_COLUMNS else _print_narrow)(listing, console)
        console.print()
    if listing.total == 0:
        console.print(f"Nothing was rejected yet; {_describe_letters(listing)}.")
        return
    total = "" if listing.matching == listing.total else f" of {listing.total:,}"
    shapes = f" in {format_count(len(listing.shapes), 'shape')}" if listing.shapes else ""
    console.print(f"{listing.matching:,}{total} rejects{shapes}; {_describe_letters(listing)}.")
    if any(listed.group.replayed for listed in listing.shapes):
        console.print("replayed: sent again; stored: a replayed copy has become a document")


def _describe_letters(listing: Listing) -> str:
    if listing.letters is None:
        return f"the number of letters is unknown: {(listing.trouble or '').rstrip('.')}"
    return f"{listing.letters:,} letters in the dead-letter topic"


def _print_wide(listing: Listing, console: Console) -> None:
    table = plain_table()
    for column in ("count", "first (UTC)", "last (UTC)", "reason", "source"):
        table.add_column(column, justify="right" if column == "count" else "left", no_wrap=True)
    table.add_column("replayed", no_wrap=True)
    table.add_column("where it broke, and how", overflow="fold", ratio=1)
    table.add_column("newest", no_wrap=True)
    for listed in listing.shapes:
        table.add_row(*_make_cells(listed), Text(_describe_shape(listed)), Text(listed.group.newest, style="dim"))
    console.print(table)


def _print_narrow(listing: Listing, console: Console) -> None:
    """Print the numbers as a table, and below each row what does not fit into it."""
    heads = ("count", "first (UTC)", "last (UTC)", "reason", "source", "replayed")
    rows = [_make_cells(listed) for listed in listing.shapes]
    widths = [max(len(row[n]) for row in [heads, *rows]) for n in range(len(heads))]
    console.print(Text(_join_cells(heads, widths), style="bold"))
    for listed, row in zip(listing.shapes, rows, strict=True):
        console.print(Text(_join_cells(row, widths)))
        indent = widths[0] + 2
        for text, style in ((_describe_shape(listed), "bold"), (listed.group.newest, "dim")):
            for line in Text(text, style=style).wrap(console, max(console.width - indent, 20)):
                console.print(Text(" " * indent) + line)


def _join_cells(cells: tuple[str, ...], widths: list[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return "  ".join([first[0].rjust(first[1]), *(cell.ljust(width) for cell, width in rest)]).rstrip()


def _make_cells(listed: Listed) -> tuple[str, ...]:
    group = listed.group
    stored = f", {listed.stored:,} stored" if group.replayed else ""
    replayed = f"{group.replayed:,}{stored}" if group.replayed else NONE
    times = format_minute(group.first_ms), format_minute(group.last_ms)
    return f"{group.count:,}", *times, make_visible(group.reason), make_visible(group.source or NONE), replayed


def _describe_shape(listed: Listed) -> str:
    return make_visible(listed.group.shape or "stored before shapes existed")


def show_reject(
    reject: StoredReject,
    original: Original | None,
    parts: list[str],
    now: Outcomes | None,
    sources: Mapping[str, Source],
    console: Console,
) -> None:
    """Print one reject: where it broke, as `explain` shows it, then the record as received."""
    _print_position(reject, sources, console)
    console.print()
    _print_facts(reject, original, parts, now, console)
    if original is None:
        return
    console.print()
    _print_headers(original, console)
    _print_value(original, console)


def _print_position(reject: StoredReject, sources: Mapping[str, Source], console: Console) -> None:
    line, column = reject.value("perf.reject.line") or 1, reject.value("perf.reject.column")
    where = f"line {line}" + (f", column {column}" if column else "")
    source = reject.value("perf.source")
    rejected_by = "Elasticsearch" if reject.value("perf.reject.stage") == "index" else source or "the intake's wrapper"
    reason = (reject.value("error.type") or "", "bold red")
    console.print(Text.assemble((f"{where}: ", "bold"), reason, f", says {make_visible(rejected_by)}"))
    text = reject.value("event.original")
    if text and column:
        print_pointer(text, character_of(text, line, column), console)
    words = dict.fromkeys(
        _describe_terminal(sources.get(source or ""), name) for name in reject.value("perf.reject.expected") or ()
    )
    if words:
        console.print(Text.assemble(("  expected ", "bold"), make_visible(" or ".join(words))))
    console.print(Text.assemble(("  found    ", "bold"), make_visible(reject.value("error.message") or "")))


def _describe_terminal(source: Source | None, name: str) -> str:
    return terminal_words(source, name, examples(source)) if source else name


def _print_facts(
    reject: StoredReject, original: Original | None, parts: list[str], now: Outcomes | None, console: Console
) -> None:
    table = plain_table(show_header=False)
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
        "file": _describe_file(reject),
        "forwarder": reject.value("provenance.forwarder"),
        "letter": reject.value("perf.reject.letter"),
        "replayed": _describe_replay(reject),
        "other parts": ", ".join(parts) or None,
        "bytes from": _describe_origin(original),
        "read today": _describe_outcomes(now),
    }
    for name, value in rows.items():
        if value is not None:
            table.add_row(name, Text(make_visible(str(value))))
    console.print(table)


def _describe_file(reject: StoredReject) -> str | None:
    path, offset = reject.value("log.file.path"), reject.value("log.offset")
    return path if offset is None or path is None else f"{path} at byte {offset:,}"


def _describe_replay(reject: StoredReject) -> str | None:
    times, copies = reject.value("perf.reject.replays"), reject.value("perf.reject.replayed_as") or ()
    if not times:
        return None
    often = "once" if times == 1 else f"{times:,} times"
    return f"{often}, at {reject.value('perf.reject.replayed')}" + (f", as {', '.join(copies)}" if copies else "")


def _describe_origin(original: Original | None) -> str:
    if original is None:
        return "nowhere: neither Kafka nor the index has them any more"
    at = f" ({original.at})" if original.at else ""
    return _FOUND_IN[original.found_in] + at


def _describe_outcomes(now: Outcomes | None) -> str | None:
    """Say whether a replay would help, without asking Elasticsearch."""
    if now is None:
        return None
    documents = len(now.documents)
    parts_made = [format_count(documents, "document")] if documents else []
    reasons = sorted({reject.reason for reject in now.rejects})
    parts = parts_made + ([f"refused still ({', '.join(reasons)})"] if reasons else [])
    return " and ".join(parts) or "ignored: somebody else's line"


def _print_headers(original: Original, console: Console) -> None:
    console.print(Text.assemble(("key      ", "bold"), _format_line(original.key)))
    for name, value in original.headers:
        console.print(Text.assemble(("header   ", "bold"), f"{make_visible(name)}: ", _format_line(value)))


def _format_line(data: bytes | None) -> str:
    """Format bytes on one line: as text if they are UTF-8, else in hexadecimal."""
    if data is None:
        return NONE
    try:
        return make_visible(data.decode()).replace("\n", "␤")
    except UnicodeDecodeError:
        return f"0x{data[:64].hex()}{'…' if len(data) > 64 else ''}"


def _print_value(original: Original, console: Console) -> None:
    """Print the value as text, made harmless, or as bytes if it is not text. `--raw` prints it unchanged."""
    value = original.value
    if value is None:
        console.print(Text.assemble(("value    ", "bold"), "none"))
        return
    console.print(Text.assemble(("value    ", "bold"), f"{len(value):,} bytes"))
    try:
        lines = make_visible(value.decode()).split("\n")
    except UnicodeDecodeError:
        lines = [_format_hex(value, at) for at in range(0, min(len(value), HEX_ROWS * HEX_BYTES), HEX_BYTES)]
        if len(value) > HEX_ROWS * HEX_BYTES:
            lines.append("…")
    wide = console.width * 4
    for line in lines[:MOST_LINES]:
        console.print(Text(f"  {line[:wide]}{'…' if len(line) > wide else ''}"), soft_wrap=True)
    if len(lines) > MOST_LINES:
        console.print(Text(f"  … {len(lines) - MOST_LINES:,} more lines", style="dim"))


def _format_hex(value: bytes, at: int) -> str:
    row = value[at : at + HEX_BYTES]
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in row)
    return f"{at:06x}  {row.hex(' '):<{HEX_BYTES * 3 - 1}}  {text}"


def show_replay(report: ReplayReport, console: Console) -> None:
    """Print what was sent where, from which copies; what was left out or could not be sent."""
    verb = "would be sent" if report.dry_run else "sent and marked"
    console.print(f"{format_count(report.records, 'record')} {verb}.")
    for topic, records in report.topics.most_common():
        console.print(f"  {records:,} to {topic}")
    for where, records in report.found_in.most_common():
        if where != LETTER:
            console.print(f"  {records:,} from {_FROM[where]}: their letters were deleted", style="yellow")
    if report.before:
        console.print(f"{report.before:,} left out: already replayed (--again sends them too).")
    for reject_id, why in report.not_sent[:MOST_NOT_SENT]:
        console.print(Text(f"{make_visible(reject_id)}: not sent, {why}.", style="yellow"))
    if len(report.not_sent) > MOST_NOT_SENT:
        console.print(f"… and {len(report.not_sent) - MOST_NOT_SENT:,} more (--json names all).", style="yellow")


def show_purge(report: PurgeReport, console: Console) -> None:
    """Print what was deleted from the index and from the topic."""
    letters = f"{report.letters:,} letters gone from the dead-letter topic, {report.letters_left:,} left there"
    console.print(f"{report.rejects:,} rejects deleted; {letters}.")
    if report.kept_because:
        console.print(f"No letter was deleted: {report.kept_because}.", style="yellow")
