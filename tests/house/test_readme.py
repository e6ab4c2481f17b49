"""README and the pages say what is so: reasons, sources, commands; each table is on one page."""

import re

from click.testing import CliRunner

from ingest.cli.main import GROUPS, cli
from ingest.core.authoring.catalogue import between
from ingest.core.bounds import TOO_MANY
from ingest.core.model import ExitCode
from tests.house.test_house import ROOT

README = (ROOT / "README.md").read_text()
SOURCES = (ROOT / "grammars" / "README.md").read_text()
FOLDERS = ("grammars", "dashboards", "deploy", "ingest")
PAGES = sorted(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))
MAX_README_LINES = 250
CODE = "\n".join(path.read_text() for path in (ROOT / "ingest").rglob("*.py"))


def test_the_table_of_reasons_is_complete() -> None:
    """Every reason that any part of the code can give, and no other."""
    given = set(re.findall(r'(?:InvalidRecord|Reject|_rejected|Mismatch)\(\s*"([a-z_]+)"', CODE))
    given |= set(re.findall(r'(?:_rejected\(|reason=)"([a-z_]+)"', CODE)) | {"syntax", *TOO_MANY.values()}
    listed = set(re.findall(r"^\| `([a-z0-9_]+)` \| ", SOURCES.split("| reason |")[1].split("## ")[0], re.MULTILINE))

    assert listed == given - {"source"}


def test_the_table_of_sources_is_the_one_that_perflog_makes() -> None:
    """Row by row what `perflog sources --markdown` prints: summaries, identities and samples as they are."""
    assert between(SOURCES, _output("sources", "--markdown")) == SOURCES, "write it again: perflog source readme"


def test_the_table_of_sources_is_complete() -> None:
    """A row for each folder under grammars/."""
    folders = {path.parent.name for path in (ROOT / "grammars").glob("*/source.toml")}
    listed = set(re.findall(r"^\| `([a-z0-9_]+)` \| ", SOURCES.split("| source |")[1].split("## ")[0], re.MULTILINE))

    assert listed == folders


def _output(*words: str) -> str:
    """What a command prints, which has to succeed."""
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, words
    return done.stdout


def test_the_forwarders_configuration_is_the_one_that_was_tried() -> None:
    """The administrators' page shows it as it stands in deploy/forwarders."""
    page = (ROOT / "deploy" / "README.md").read_text()
    assert f"```text\n{(ROOT / 'deploy' / 'forwarders' / 'rsyslog.conf').read_text()}```\n" in page


def commands_table() -> str:
    """The commands by group, as README shows them."""
    rows = ["| command | what for |", "|---|---|"]
    for heading, commands in GROUPS.items():
        rows.append(f"| **{heading}** | |")
        rows += [f"| `{name}` | {words} |" for name, (_, words) in commands.items()]
    return "\n".join(rows)


def exit_codes_table() -> str:
    """The exit codes, as README shows them."""
    return "\n".join(["| exit code | meaning |", "|---|---|", *(f"| {code} | {code.meaning} |" for code in ExitCode)])


def test_readme_is_one_screen_and_shows_the_commands_by_group() -> None:
    """As `perflog --help` lists them; every page that it names is there, and every page is named."""
    assert commands_table() in README
    assert exit_codes_table() in README
    assert len(README.splitlines()) <= MAX_README_LINES
    assert {ROOT / path for path in re.findall(r"\]\(([^)]+\.md)\)", README)} == set(PAGES)
