"""`perflog gaps`: which bytes are missing from which file, since when, and when they were filled."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ingest.cli.console import echo_json, open_console
from ingest.cli.monitoring.gaps_text import show_gaps
from ingest.cli.options import with_options
from ingest.config.load import load_settings
from ingest.core.lookup import lookup
from ingest.edge.elasticsearch.files import GapQuery, open_gaps
from ingest.edge.elasticsearch.query import MOST

_GAP = (
    "state", "first_byte", "end_byte", "size_bytes", "missing_bytes", "lines", "shown_by", "since", "until",
    "received_before", "received_after", "noticed", "filled",
)  # fmt: skip
_FILE = ("state", "size_bytes", "received_bytes", "missing_bytes", "pieces", "lines", "sha256", "begun", "ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class GapsOptions:
    """Which gaps `perflog gaps` lists, and how many at most."""

    only_open: bool
    facilities: tuple[str, ...]
    files: tuple[str, ...]
    hosts: tuple[str, ...]
    limit: int
    as_json: bool


@click.command("gaps")
@click.option("--open", "only_open", is_flag=True, help="Only gaps that are not filled.")
@click.option("--facility", "facilities", multiple=True, help="Only gaps of this facility; repeatable.")
@click.option(
    "--file", "files", multiple=True, help="Only gaps of this file: its path, or the end of its path; repeatable."
)
@click.option("--host", "hosts", multiple=True, help="Only gaps in files of this machine; repeatable.")
@click.option("--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="At most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@with_options(GapsOptions)
def command(settings_path: Path | None, options: GapsOptions) -> None:
    """List what is missing from files: which bytes, between which lines, when it was found, when it was filled.

    This works for files whose messages carry their byte offsets: those sent by `perflog ship`, and by forwarders that
    send byte offsets. A missing end of file is detected by the file's manifest. The sweeper finds gaps: `perflog run`
    sweeps every `delivery.sweep_s` seconds, `perflog sweep --once` at once.
    """
    settings = load_settings(settings_path)
    states = ("open",) if options.only_open else ()
    query = GapQuery(facilities=options.facilities, files=options.files, hosts=options.hosts, states=states)
    with open_gaps(settings.elasticsearch) as gap_index:
        gaps, matching = gap_index.list_gaps(query, options.limit), gap_index.count_gaps(query)
        known_files, unsettled = gap_index.count_files(query), gap_index.list_unsettled(query)
    if options.as_json:
        result = {"gaps": [gap_to_json(body) for body in gaps], "matching": matching, "files": known_files}
        echo_json({**result, "unsettled": [file_to_json(body) for body in unsettled]})
    else:
        show_gaps(
            [gap_to_json(body) for body in gaps],
            matching,
            (known_files, list(map(file_to_json, unsettled))),
            open_console(),
        )


def gap_to_json(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a gap as JSON; unknown values are null."""
    gap = body["perf"]["gap"]
    return {**_owner_to_json(body), **{name: gap.get(name) for name in _GAP}}


def file_to_json(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file with missing bytes that are not a gap yet."""
    file = body["perf"]["file"]
    own = {name: file.get(name) for name in _FILE}
    return {
        **_owner_to_json(body),
        **own,
        "scattered": file.get("scattered", False),
        "last_received": body["@timestamp"],
    }


def _owner_to_json(body: Mapping[str, Any]) -> dict[str, Any]:
    file = body["perf"]["file"]
    return {
        "facility": body["perf"]["facility"],
        "host": lookup(body, "host.name"),
        "file": lookup(body, "log.file.path"),
        "generation": file.get("generation"),
        "topic": file["topic"],
    }
