"""Where perflog's own data, the user's folder and a JDK are."""

import os
from pathlib import Path

from ingest.core.model import ExitCode, Problem

_PACKAGE = Path(__file__).parent.parent


def home() -> Path:
    """Return perflog's folder on this machine: $PERFLOG_HOME, else ~/.perflog. It may not exist yet."""
    return Path(os.environ.get("PERFLOG_HOME") or "~/.perflog").expanduser()


def java_home() -> Path | None:
    """Return the path in $JAVA_HOME, or None if it is not set."""
    named = os.environ.get("JAVA_HOME")
    return Path(named) if named else None


def data_folder(name: str) -> Path:
    """Return data shipped with the code: beside ingest/ in a checkout, inside the package in a wheel."""
    inside = _PACKAGE / "_data"
    path = (inside if inside.is_dir() else _PACKAGE.parent) / name
    if not path.exists():
        raise Problem(
            f"perflog's own data `{name}` is missing at {path}.", "Reinstall perflog-ingest.", ExitCode.SOFTWARE
        )
    return path


RULES_FILE = Path("alarms") / "rules.toml"
