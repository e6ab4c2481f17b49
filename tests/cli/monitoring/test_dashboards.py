"""`perflog dashboards` as a person meets it: the program in a process of its own, its words and its exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.kibana_server import FakeKibana, serving

_ROOT = Path(__file__).parents[3]
_QUIET = ("KIBANA_URL", "KIBANA_API_KEY", "KIBANA_USER", "KIBANA_PASSWORD", "PERFLOG_CONFIG")


def _perflog(
    *arguments: str | Path, config: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    first = [sys.executable, "-m", "ingest", *(["--config", str(config)] if config else []), "dashboards"]
    inherited = {name: value for name, value in os.environ.items() if name not in _QUIET}
    return subprocess.run(
        [*first, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=_ROOT,
        env={**inherited, **environment},
    )


def _board(ndjson: str) -> dict[str, str]:
    attributes = json.loads(ndjson.splitlines()[-1])["attributes"]
    assert isinstance(attributes, dict)
    return attributes


def test_compile_writes_a_file_that_kibana_imports(tmp_path: Path) -> None:
    """It writes the same bytes to standard output, or to a file with one line of report."""
    written = _perflog("compile", "-o", tmp_path / "boards.ndjson")
    printed = _perflog("compile")

    assert (written.returncode, written.stdout) == (0, f"{tmp_path}/boards.ndjson: 12 objects.\n")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout == (tmp_path / "boards.ndjson").read_text(encoding="utf-8")
    assert _board(printed.stdout)["title"] == "[perflog] Runs beside the network"


def test_the_pairs_come_from_the_settings(tmp_path: Path) -> None:
    """The board shows the network of the workflows that this facility has, each direction."""
    settings = tmp_path / "perflog.toml"
    settings.write_text('[workflow.beamline]\npairs = [["APS", "ALCF"]]\n', encoding="utf-8")

    panels = _board(_perflog("compile", PERFLOG_CONFIG=str(settings)).stdout)["panelsJSON"]

    assert "APS → ALCF" in panels
    assert "ALCF → APS" in panels
    assert "NERSC" not in panels


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """Which file, why, and what to do."""
    done = _perflog("compile", "-o", tmp_path / "no" / "boards.ndjson")

    assert done.returncode == 73
    assert done.stderr.startswith(f"perflog: {tmp_path}/no/boards.ndjson cannot be written: No such file or directory.")


def test_import_prints_the_count_and_the_address() -> None:
    """It prints the count, the check by reading back, and the board's address for the chosen time."""
    with serving(FakeKibana()) as kibana:
        done = _perflog("import", "--kibana", kibana.url, "--from", "2016-02-06T05:30Z", "--to", "2016-02-06T19:00Z")

    assert (done.returncode, done.stderr) == (0, "")
    summary, address = done.stdout.splitlines()
    assert summary == f"Kibana 8.12.2 at {kibana.url} has 12 objects, read back and compared."
    assert address.startswith(f"[perflog] Runs beside the network: {kibana.url}/app/dashboards#/view/")
    assert address.endswith("?_g=(time:(from:'2016-02-06T05:30:00.000Z',to:'2016-02-06T19:00:00.000Z'))")
    assert len(kibana.stored) == 12


def test_import_into_a_space_with_a_key_from_the_environment() -> None:
    """Secrets need not stand on the command line."""
    with serving(FakeKibana(version="9.4.0", spaces={"als"})) as kibana:
        done = _perflog("import", "--space", "als", KIBANA_URL=kibana.url, KIBANA_API_KEY="a2V5")

    assert (done.returncode, done.stderr) == (0, "")
    assert f"{kibana.url}/s/als/app/dashboards#/view/" in done.stdout
    assert set(kibana.authorization) == {"ApiKey a2V5"}


def test_import_fails_when_kibana_refuses_an_object() -> None:
    """One sentence on standard error, nothing on standard output, exit code 65."""
    errors = [{"type": "dashboard", "id": "x", "error": {"type": "unsupported_type"}}]
    answer = (200, {"success": False, "successCount": 4, "errors": errors})
    with serving(FakeKibana(instead={"/api/saved_objects/_import": answer})) as kibana:
        done = _perflog("import", "--kibana", kibana.url)

    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr == (
        "perflog: Kibana refused 1 of 12 objects: x: this Kibana does not know the type. The others are in.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("import",), 64, "--kibana"),
        (("import", "--kibana", "http://127.0.0.1:1", "--from", "now-1h"), 64, "--from and --to go together"),
        (("import", "--kibana", "http://127.0.0.1:1", "--wait", "0"), 69, "nobody answers there"),
        (("import", "--kibana", "127.0.0.1:5601", "--wait", "0"), 64, "is no address of a Kibana"),
    ],
)
def test_a_user_error_has_an_exit_code(arguments: tuple[str, ...], code: int, sentence: str) -> None:
    """And one sentence, never a traceback."""
    done = _perflog(*arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
