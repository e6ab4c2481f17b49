"""What reaches a terminal or a pipe: no control character of a record, and only signs that the encoding holds."""

import ast
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.text import Text

from ingest.cli.console import echo, encode_json, open_console, plain_table, printable, printable_text, write_json
from ingest.cli.runs.runs_text import show_run, show_runs
from ingest.cli.runs.waterfall_text import show_waterfall
from tests.support.cli import perflog, process
from tests.support.stored_runs import run_of

CLI = Path(__file__).parents[2] / "ingest" / "cli"
# OSC 8 and CSI with ESC, 8-bit CSI, bell, override, isolate, zero width, soft hyphen, tag, rich's markup and emoji.
HOSTILE = "a\x1b]8;;u\x07b\x1b[31m\x9b31m\x08\u202ec\u2066d\u200be\u2028\xadf\ufeff\U000e0041\u061c"
RUN, STAGE, SCRIPT = f"r{HOSTILE}1-2", f"SUBMIT_{HOSTILE}[bold]:smile:", f"s{HOSTILE}.sh"
ALLOWED = {"\n"}


def hidden_in(data: bytes) -> set[str]:
    """The characters that would control a terminal or be invisible in it."""
    text = data.decode()
    ranges = ((0, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x200B, 0x200F), (0x2028, 0x202E),
              (0x2060, 0x206F), (0xFEFF, 0xFEFF), (0xE0000, 0xE007F))  # fmt: skip
    return {char for char in text if any(low <= ord(char) <= high for low, high in ranges)} - ALLOWED


def lines_of(run: str = RUN) -> bytes:
    """Lines of a run whose names hold what must not come out, a damaged one, and a foreign one."""
    head = f"2016-02-06T10:36:14-08:00: {SCRIPT}:65:{run}"
    netlogger = f'ts=2016-02-06T18:36:14.000Z event="x{HOSTILE}.start" guid="{HOSTILE}" host="{HOSTILE}"'
    texts = [
        f"{head}:PERF:{STAGE}:START_DATE=1454783773", f"{head}:PERF:{STAGE}2:START_DATE=1454783873",
        f"{head}:PERF:{STAGE}:START_DATE=x{HOSTILE}", f"{head}:PREF:{STAGE}", f"somebody {HOSTILE} else", netlogger,
        "2016-02-06T10:36:14-08:00: s.sh:1:1-2:PERF:SUBMIT_NORM:START_DATE=1454783773",
    ]  # fmt: skip
    return ("\n".join(text.replace("\x1b", "") for text in texts) + "\n" + "\n".join(texts) + "\n").encode()


@pytest.mark.parametrize(
    "words",
    [
        ("try", "-"), ("explain",), ("explain", "--json"), ("lint", "-"), ("lint", "-", "--json"),
        ("analyze", "-"), ("analyze", "-", "--json"), ("analyze", "-", "--csv"),
        ("compare", "--file", "-", "1-2", RUN), ("compare", "--file", "-", "1-2", f"{RUN}0"),
        ("analyze", f"no{HOSTILE}such.log"), ("analyze", "-", "--run", f"1-{HOSTILE}2"),
        ("try", "-", "--source", HOSTILE),
        ("try", "-", "--facility", HOSTILE), ("explain", "--zone", HOSTILE), ("explain", "--received", HOSTILE),
        ("lint", "-", f"--{HOSTILE}"), (HOSTILE,), ("runs", HOSTILE), ("show", "--instance", HOSTILE),
        ("bench", HOSTILE),
        ("ship", "--intake", HOSTILE, "-"), ("--config", f"no{HOSTILE}.toml", "runs"), ("gaps", "--since", HOSTILE),
        ("alerts", HOSTILE), ("workflow", HOSTILE), ("dlq", HOSTILE), ("replay", "--since", HOSTILE),
        ("source", "check", HOSTILE), ("sources", HOSTILE), ("generate", "x", "--share", HOSTILE), ("stack", HOSTILE),
    ],
    ids=lambda words: " ".join(words[:3]).encode("ascii", "replace").decode(),
)  # fmt: skip
def test_no_control_character_of_a_record_or_an_argument_reaches_an_output(words: tuple[str, ...]) -> None:
    """Of any command: text, JSON, CSV, errors, usage errors, names of files."""
    done = perflog(*words, stdin=lines_of())

    assert done.stdout + done.stderr
    assert not hidden_in(done.stdout)
    assert not hidden_in(done.stderr)


def test_a_suggestion_shows_controls_as_signs() -> None:
    """`Did you mean`: U+009B would begin an 8-bit CSI sequence."""
    line = b"2016-02-06T10:36:14-08:00: s.sh:1:1-\xc2\x9b31m2:PERF:SUBMIT_NORM:START_DATE=1454783773\n"
    done = perflog("analyze", "-", "--run", "1-31m2", stdin=line)

    assert done.returncode in {65, 66}
    assert not hidden_in(done.stderr)


def test_json_holds_the_characters_escaped() -> None:
    """Nothing is lost: a reader of the JSON gets what the record held."""
    encoded = encode_json({"run": HOSTILE, "n": [1, "ü≤"], "del": "\x7f"})

    assert json.loads(encoded) == {"run": HOSTILE, "n": [1, "ü≤"], "del": "\x7f"}
    assert not hidden_in(encoded)
    assert "ü≤".encode() in encoded
    assert encode_json({"a": "b"}) == b'{"a":"b"}'


def test_a_text_keeps_its_width_and_its_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A control becomes one sign; where the encoding lacks a sign, cells are as wide as what stands for it."""
    assert printable("a\x9b\u202e\tb\n") == "a��→b\n"
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    styled = printable_text(Text.assemble("≤ 11", (" x", "bold")))

    assert styled.plain == "<= 11 x"
    assert [(span.start, span.end) for span in styled.spans] == [(5, 7)]


@pytest.mark.parametrize(("encoding", "sign"), [("utf-8", "≤"), ("ascii", "<="), ("iso-8859-1", "<=")])
def test_one_rule_chooses_signs_by_the_encoding(encoding: str, sign: str) -> None:
    """Tables, texts and the waterfall of one output have the same sign, and columns stay aligned."""
    sample = Path(__file__).parents[2] / "grammars" / "als_perf" / "samples.log"
    done = process("analyze", str(sample), "--run", "1086857-64636", PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    text = done.stdout.decode(encoding)
    rows = [line for line in text.splitlines() if "SUBMIT_GAL-render-raw" in line and " 203" in line]
    table = [line for line in text.splitlines() if "next start" in line]

    assert done.returncode == 0
    assert len(rows) == 2  # of the table of stages and of the waterfall
    assert all(f"{sign} 203" in row for row in rows)
    assert ("≤" in text) is (sign == "≤")
    assert len({line.index("next start") for line in table}) == 1


def test_stored_names_control_no_table_and_no_waterfall(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """What Elasticsearch holds is as little trusted as a line; the columns stay aligned."""
    run = run_of("0 START a\x9b31m\u202eb\u200bc, 60 START abcdefgh, 90 END abcdefgh")
    console = open_console()
    show_runs([run], 1, 1, console)
    show_run(run, 1, console)
    show_waterfall(run, console)
    sys.stdout.flush()
    out = capsysbinary.readouterr().out
    rows = [line for line in out.decode().splitlines() if "next start" in line or "its END" in line]

    assert not hidden_in(out)
    assert "a�31m�b�c" in rows[0]
    assert rows[0].index("next start") == rows[1].index("its END")


def test_markup_of_a_record_is_text() -> None:
    """Names in brackets and between colons are neither styles, links nor pictures."""
    console = open_console()
    console.file = file = io.StringIO()
    table = plain_table()
    table.add_column("name")
    table.add_row("[red]x[/] :smile: [link=http://u]y[/link]\x9b")
    console.print(table)
    console.print("[bold]z[/]\x1b[31m", Text("w\x9b"))

    assert "[red]x[/] :smile: [link=http://u]y[/link]�" in file.getvalue()
    assert "[bold]z[/]␛[31m w�" in file.getvalue()


def test_echo_and_json_lines_pass_the_same_place(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """To standard output and to standard error."""
    echo(HOSTILE)
    echo(HOSTILE, err=True)
    write_json({"a": HOSTILE})
    sys.stdout.flush()
    out, err = capsysbinary.readouterr()

    assert err
    assert not hidden_in(out) | hidden_in(err)


def outputs_of(tree: ast.AST) -> Iterator[str]:
    """Calls that would print past the console."""
    past = {"click.echo", "print", "Console", "Table", "sys.stdout.write", "sys.stderr.write", "orjson.dumps", "secho"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in past:
            yield ast.unparse(node.func)


@pytest.mark.parametrize("path", sorted(CLI.rglob("*.py")), ids=lambda path: str(path.relative_to(CLI)))
def test_every_command_prints_through_the_console(path: Path) -> None:
    """No module but the console itself makes a console, a table, JSON, or prints."""
    benches_documents = path.parent.name == "bench"
    outputs = set() if path.name == "console.py" else set(outputs_of(ast.parse(path.read_text())))

    assert outputs - ({"orjson.dumps"} if benches_documents else set()) == set()
    assert set(outputs_of(ast.parse("print(1); click.echo(x); Console()"))) == {"print", "click.echo", "Console"}
