"""Text output of `perflog explain`: words, colours and tables only; the content comes from the core."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import format_value, plain_table, print_pointer
from ingest.cli.format import NONE, format_count
from ingest.core.authoring.explanation import ExplainedDocument, Explanation, Filled, RejectExplanation, Token
from ingest.telemetry import make_visible

COLOURS = ("cyan", "green", "magenta", "yellow", "bright_blue", "bright_cyan", "bright_green", "bright_magenta")
DITTO = "″"
_FORMS = {
    "repaired": "the nearest accepted form (what was put in comes from a sample)",
    "sample": "the sample most like it",
}


def show(explanation: Explanation, line: int, console: Console) -> None:
    """Explain one message; `line` is the number of its first line in the input."""
    if line > 1:
        console.print()
    if explanation.source:
        _print_documents(explanation, line, console)
    for number, rejection in enumerate(explanation.rejects):
        if number == 0 or explanation.source:
            _print_rejection(rejection, explanation.text, line, console)
        else:
            where = f"column {rejection.reject.column}: " if rejection.reject.column else ""
            also = f"  also tried: {rejection.source} ({where}{make_visible(rejection.reject.detail)})"
            console.print(Text(also, style="dim"))
    if not explanation.source and not explanation.rejects:
        console.print(Text.assemble((f"line {line}: ", "bold"), "ignored: somebody else's line"))
        console.print(Text(f"  {format_value(explanation.text, console.width * 2)}"))
        for source, shape, why in explanation.ignored[: 1 if explanation.text == "" else None]:
            console.print(Text.assemble("  ", (source, "bold"), f": {why} (shape {shape})"))


def _print_documents(explanation: Explanation, line: int, console: Console) -> None:
    count = len(explanation.documents)
    words = f"read by {explanation.source}: {format_count(count, 'document')}"
    console.print(Text.assemble((f"line {line}: ", "bold"), words))
    colours = _assign_colours(explanation.tokens)
    if any(token.end for token in explanation.tokens):
        console.print(_colour_tokens(explanation.text, explanation.tokens, colours), soft_wrap=True)
    for number, explained in enumerate(explanation.documents):
        console.print()
        where = f"{explained.document.index}  id {explained.document.id}  version {explained.document.version}"
        position = f"document {number + 1} of {count}  " if count > 1 else ""
        console.print(Text(position + where, style="dim"))
        console.print(_build_token_table(explanation.tokens, explained, number, colours))
        _print_derived(explanation.tokens, explained, console)
        _print_flags(explained, console)
        _print_outside(explained, console)


def _assign_colours(tokens: Sequence[Token]) -> dict[tuple[str, int, int], str]:
    """Assign a colour to each token that fills a field or sets a flag."""
    filling = [token for token in tokens if token.fields or token.flags]
    return {_token_key(token): COLOURS[n % len(COLOURS)] for n, token in enumerate(filling)}


def _token_key(token: Token) -> tuple[str, int, int]:
    return token.name, token.start, token.end


def _colour_tokens(text: str, tokens: Sequence[Token], colours: Mapping[tuple[str, int, int], str]) -> Text:
    whole = Text(make_visible(text))
    for token in tokens:
        whole.stylize(colours.get(_token_key(token), "dim"), token.start, token.end)
    return whole


def _build_token_table(
    tokens: Sequence[Token], explained: ExplainedDocument, number: int, colours: Mapping[tuple[str, int, int], str]
) -> Table:
    table = plain_table()
    is_text = any(token.end for token in tokens)
    for column in ("token" if is_text else "value", "terminal" if is_text else "path", "field", "becomes"):
        table.add_column(column, overflow="fold", no_wrap=column == "field", min_width=10)
    seen: set[str] = set()
    values = {field.field: field for field in explained.fields}
    for token in tokens:
        rows = list(_make_rows(token, number, values, seen))
        for n, (field, value) in enumerate(rows):
            colour = colours.get(_token_key(token), "dim")
            first = (Text(format_value(token.text, 60), style=colour), token.name) if n == 0 else ("", "")
            table.add_row(*first, field, value)
    return table


def _make_rows(token: Token, number: int, values: Mapping[str, Filled], seen: set[str]) -> Iterator[tuple[Text, Text]]:
    """Yield (field, value) of a token in one document; a value that was already shown becomes a ditto mark."""
    for _, name in (pair for pair in token.fields if pair[0] == number and pair[1] in values):
        yield Text(name), Text(DITTO, style="dim") if name in seen else Text(_format_field(values[name]))
        seen.add(name)
    for _, flag in (pair for pair in token.flags if pair[0] == number):
        yield Text("perf.flags"), Text(flag, style="yellow")
    named = not token.name.startswith("_") and any(char.isalnum() for char in token.text)
    if not token.fields and not token.flags and named and (token.item or 0) == number:
        checked = f"checked: else {', '.join(token.checks)}" if token.checks else NONE
        yield Text(NONE, style="dim"), Text(checked, style="dim")


def _format_field(field: Filled) -> str:
    unit = f" {field.unit}" if field.unit and field.unit != "1" else ""
    return format_value(field.value, 80) + unit


def _print_derived(tokens: Sequence[Token], explained: ExplainedDocument, console: Console) -> None:
    """Print the derived fields that are not simply a token's text, each with its rule."""
    written = {(token.name, token.text) for token in tokens}
    as_written = {f.field for f in explained.fields if len(f.tokens) == 1 and (f.tokens[0], str(f.value)) in written}
    derived = [f for f in explained.fields if f.how == "derived" and f.field not in {*as_written, "perf.flags"}]
    if not derived:
        return
    table = plain_table()
    for column in ("derived", "becomes", "from", "by this rule"):
        table.add_column(column, overflow="fold", no_wrap=column == "derived", min_width=10)
    for field in derived:
        table.add_row(
            field.field, Text(_format_field(field)), ", ".join(field.tokens) or NONE, Text(field.rule, style="dim")
        )
    console.print()
    console.print(table)


def _print_flags(explained: ExplainedDocument, console: Console) -> None:
    for flag, meaning in explained.flags:
        console.print(Text.assemble(("flag ", "bold"), (flag, "yellow"), f"  {meaning}"))


def _print_outside(explained: ExplainedDocument, console: Console) -> None:
    shown_already = {"event.original", "event.original_b64", "log.offset"}
    outside = [f for f in explained.fields if f.how == "outside" and f.field not in shown_already]
    words = "; ".join(f"{field.field} {format_value(field.value, 60)} ({field.rule})" for field in outside)
    console.print(Text(f"not from the message: {words}", style="dim"))


def _print_rejection(rejection: RejectExplanation, text: str, line: int, console: Console) -> None:
    reject = rejection.reject
    where = f"line {line + reject.line - 1}" + (f", column {reject.column}" if reject.column else "")
    console.print(
        Text.assemble(
            (f"{where}: ", "bold"), (reject.reason, "bold red"), f", says {rejection.source or 'every source'}"
        )
    )
    if rejection.at is None:
        console.print(Text(f"  {format_value(text, console.width * 2)}"))
    else:
        print_pointer(text, rejection.at, console)
    words = list(dict.fromkeys(words for _, words in rejection.expected))
    if words:
        console.print(Text.assemble(("  expected ", "bold"), " or ".join(words)))
    console.print(Text.assemble(("  found    ", "bold"), make_visible(reject.detail)))
    if rejection.nearest:
        console.print(Text.assemble(("  nearest  ", "bold"), _FORMS[rejection.nearest.how]))
        console.print(_underline_changes(text, rejection.nearest.text), soft_wrap=True)


def _underline_changes(text: str, form: str) -> Text:
    """Format an accepted form, underlining where it differs from the message; cut if it is long."""
    most = 1000
    old, new = text[:most], form[:most]
    changed = Text("  ")
    for kind, _, _, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        changed.append(
            make_visible(new[start:end]).replace("\n", "\n  "), style="" if kind == "equal" else "bold green underline"
        )
    return changed.append("…" if len(form) > most else "")
