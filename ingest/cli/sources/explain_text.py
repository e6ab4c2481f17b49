"""Text output of `perflog explain`: words, colours and tables only; the content comes from the core."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.cli.console import plain_table, pointed, shown, visible
from ingest.cli.format import NONE, plural
from ingest.core.authoring.explanation import ExplainedDocument, Explanation, Filled, RejectExplanation, Token

COLOURS = ("cyan", "green", "magenta", "yellow", "bright_blue", "bright_cyan", "bright_green", "bright_magenta")
DITTO = "″"
_FORMS = {
    "repaired": "the nearest accepted form (what was put in comes from a sample)",
    "sample": "the sample most like it",
}


def show(found: Explanation, line: int, console: Console) -> None:
    """Explain one message; `line` is the number of its first line in the input."""
    if line > 1:
        console.print()
    if found.source:
        _documents(found, line, console)
    for number, refusal in enumerate(found.refusals):
        if number == 0 or found.source:
            _refusal(refusal, found.text, line, console)
        else:
            where = f"column {refusal.reject.column}: " if refusal.reject.column else ""
            also = f"  also asked: {refusal.source} ({where}{visible(refusal.reject.detail)})"
            console.print(Text(also, style="dim"))
    if not found.source and not found.refusals:
        console.print(Text.assemble((f"line {line}: ", "bold"), "ignored: somebody else's line"))
        console.print(Text(f"  {shown(found.text, console.width * 2)}"))
        for source, shape, why in found.ignored[: 1 if found.text == "" else None]:
            console.print(Text.assemble("  ", (source, "bold"), f": {why} (shape {shape})"))


def _documents(explanation: Explanation, line: int, console: Console) -> None:
    count = len(explanation.documents)
    words = f"read by {explanation.source}: {plural(count, 'document')}"
    console.print(Text.assemble((f"line {line}: ", "bold"), words))
    colours = _colours(explanation.tokens)
    if any(token.end for token in explanation.tokens):
        console.print(_coloured(explanation.text, explanation.tokens, colours), soft_wrap=True)
    for number, explained in enumerate(explanation.documents):
        console.print()
        where = f"{explained.document.index}  id {explained.document.id}  version {explained.document.version}"
        of = f"document {number + 1} of {count}  " if count > 1 else ""
        console.print(Text(of + where, style="dim"))
        console.print(_token_table(explanation.tokens, explained, number, colours))
        _derived(explanation.tokens, explained, console)
        _flags(explained, console)
        _outside(explained, console)


def _colours(tokens: Sequence[Token]) -> dict[tuple[str, int, int], str]:
    """Assign a colour to each token that became something."""
    filling = [token for token in tokens if token.fields or token.flags]
    return {_key(token): COLOURS[n % len(COLOURS)] for n, token in enumerate(filling)}


def _key(token: Token) -> tuple[str, int, int]:
    return token.name, token.start, token.end


def _coloured(text: str, tokens: Sequence[Token], colours: Mapping[tuple[str, int, int], str]) -> Text:
    whole = Text(visible(text))
    for token in tokens:
        whole.stylize(colours.get(_key(token), "dim"), token.start, token.end)
    return whole


def _token_table(
    tokens: Sequence[Token], told: ExplainedDocument, number: int, colours: Mapping[tuple[str, int, int], str]
) -> Table:
    table = plain_table()
    is_text = any(token.end for token in tokens)
    for column in ("token" if is_text else "value", "terminal" if is_text else "path", "field", "becomes"):
        table.add_column(column, overflow="fold", no_wrap=column == "field", min_width=10)
    seen: set[str] = set()
    values = {field.field: field for field in told.fields}
    for token in tokens:
        rows = list(_rows(token, number, values, seen))
        for n, (field, value) in enumerate(rows):
            colour = colours.get(_key(token), "dim")
            first = (Text(shown(token.text, 60), style=colour), token.name) if n == 0 else ("", "")
            table.add_row(*first, field, value)
    return table


def _rows(token: Token, number: int, values: Mapping[str, Filled], seen: set[str]) -> Iterator[tuple[Text, Text]]:
    """Yield (field, value) of a token in one document; a value that was already shown becomes a ditto mark."""
    for _, name in (pair for pair in token.fields if pair[0] == number and pair[1] in values):
        yield Text(name), Text(DITTO, style="dim") if name in seen else Text(_value(values[name]))
        seen.add(name)
    for _, flag in (pair for pair in token.flags if pair[0] == number):
        yield Text("perf.flags"), Text(flag, style="yellow")
    named = not token.name.startswith("_") and any(char.isalnum() for char in token.text)
    if not token.fields and not token.flags and named and (token.item or 0) == number:
        checked = f"checked: else {', '.join(token.checks)}" if token.checks else NONE
        yield Text(NONE, style="dim"), Text(checked, style="dim")


def _value(field: Filled) -> str:
    unit = f" {field.unit}" if field.unit and field.unit != "1" else ""
    return shown(field.value, 80) + unit


def _derived(tokens: Sequence[Token], told: ExplainedDocument, console: Console) -> None:
    """Print the derived fields that are not simply a token's text, each with its rule."""
    written = {(token.name, token.text) for token in tokens}
    as_written = {f.field for f in told.fields if len(f.tokens) == 1 and (f.tokens[0], str(f.value)) in written}
    derived = [f for f in told.fields if f.how == "derived" and f.field not in {*as_written, "perf.flags"}]
    if not derived:
        return
    table = plain_table()
    for column in ("derived", "becomes", "from", "by this rule"):
        table.add_column(column, overflow="fold", no_wrap=column == "derived", min_width=10)
    for field in derived:
        table.add_row(field.field, Text(_value(field)), ", ".join(field.tokens) or NONE, Text(field.rule, style="dim"))
    console.print()
    console.print(table)


def _flags(told: ExplainedDocument, console: Console) -> None:
    for flag, meaning in told.flags:
        console.print(Text.assemble(("flag ", "bold"), (flag, "yellow"), f"  {meaning}"))


def _outside(told: ExplainedDocument, console: Console) -> None:
    shown_already = {"event.original", "event.original_b64", "log.offset"}
    outside = [f for f in told.fields if f.how == "outside" and f.field not in shown_already]
    words = "; ".join(f"{field.field} {shown(field.value, 60)} ({field.rule})" for field in outside)
    console.print(Text(f"not from the message: {words}", style="dim"))


def _refusal(refusal: RejectExplanation, text: str, line: int, console: Console) -> None:
    reject = refusal.reject
    where = f"line {line + reject.line - 1}" + (f", column {reject.column}" if reject.column else "")
    console.print(Text.assemble((f"{where}: ", "bold"), (reject.reason, "bold red"), f", says {refusal.source}"))
    if refusal.at is None:
        console.print(Text(f"  {shown(text, console.width * 2)}"))
    else:
        pointed(text, refusal.at, console)
    words = list(dict.fromkeys(words for _, words in refusal.expected))
    if words:
        console.print(Text.assemble(("  expected ", "bold"), " or ".join(words)))
    console.print(Text.assemble(("  found    ", "bold"), visible(reject.detail)))
    if refusal.nearest:
        console.print(Text.assemble(("  nearest  ", "bold"), _FORMS[refusal.nearest.how]))
        console.print(_changed(text, refusal.nearest.text), soft_wrap=True)


def _changed(text: str, form: str) -> Text:
    """Format an accepted form, underlining where it differs from the message; cut if it is long."""
    most = 1000
    old, new = text[:most], form[:most]
    changed = Text("  ")
    for kind, _, _, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        changed.append(
            visible(new[start:end]).replace("\n", "\n  "), style="" if kind == "equal" else "bold green underline"
        )
    return changed.append("…" if len(form) > most else "")
