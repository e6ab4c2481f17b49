"""README says what is so: its reasons, its sources, its commands."""

import re

from click.testing import CliRunner

from ingest.cli.main import cli
from ingest.core.authoring.catalogue import between
from ingest.core.bounds import TOO_MANY
from tests.house.test_house import ROOT

README = (ROOT / "README.md").read_text()
CODE = "\n".join(path.read_text() for path in (ROOT / "ingest").rglob("*.py"))


def test_the_table_of_reasons_is_complete() -> None:
    """Every reason that any part of the code can give, and no other."""
    given = set(re.findall(r'(?:InvalidRecord|Reject|_rejected|Mismatch)\(\s*"([a-z_]+)"', CODE))
    given |= set(re.findall(r'(?:_rejected\(|reason=)"([a-z_]+)"', CODE)) | {"syntax", *TOO_MANY.values()}
    told = set(re.findall(r"^\| `([a-z0-9_]+)` \| ", README.split("| reason |")[1].split("## ")[0], re.MULTILINE))

    assert told == given - {"source"}


def test_the_table_of_sources_is_the_one_that_perflog_makes() -> None:
    """Row by row what `perflog sources --markdown` prints: summaries, identities and samples as they are."""
    assert between(README, _told("sources", "--markdown")) == README, "make it anew: perflog source readme"


def test_the_table_of_sources_is_complete() -> None:
    """A row for each folder under grammars/."""
    folders = {path.parent.name for path in (ROOT / "grammars").glob("*/source.toml")}
    told = set(re.findall(r"^\| `([a-z0-9_]+)` \| ", README.split("| source |")[1].split("## ")[0], re.MULTILINE))

    assert told == folders


def test_every_command_that_readme_names_exists() -> None:
    """With every option it is shown with."""
    shown = [a or b for a, b in re.findall(r"`(perflog [^`]+)`|^    (perflog .*)$", README, re.MULTILINE)]
    commands = {(words.split()[1], *re.findall(r"--[a-z-]+", words)) for words in shown}
    helps = {name: _help(name) for name in {command[0] for command in commands}}

    assert len(commands) > 8
    for name, *options in commands:
        assert all(option in helps[name] for option in options), (name, options)


def _help(name: str) -> str:
    """The help of a command and of its subcommands."""
    own = _told(name, "--help")
    listed = own.split("Commands:")[1] if "Commands:" in own else ""
    inner = re.findall(r"^  ([a-z]+)  ", listed, re.MULTILINE)
    return "\n".join([own, *(_told(name, sub, "--help") for sub in inner)])


def _told(*words: str) -> str:
    """What a command prints, which has to succeed."""
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, words
    return done.stdout


def test_the_forwarders_configuration_is_the_one_that_was_tried() -> None:
    """README shows it as it stands in deploy/forwarders."""
    assert f"```text\n{(ROOT / 'deploy' / 'forwarders' / 'rsyslog.conf').read_text()}```\n" in README
