"""Explains Kibana's responses: which object it refused, what it is too old for, what to do about it.

Only interprets responses; sends none.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import requests

from ingest.core.dashboards.saved_objects import OLDEST_KIBANA, SavedObject
from ingest.core.model import ExitCode, Problem
from ingest.edge.http.bodies import error_line, error_words, one_line
from ingest.edge.http.tls import TlsCause, tls_fault

CHECK_ADDRESS = "Check --kibana, and that Kibana runs and can be reached from here."
WRONG_ADDRESS = "Check --kibana (with its base path, if it has one) and --space."
REPORT = "This Kibana reads the format differently: please report its version."
_TLS = {
    TlsCause.UNTRUSTED: "Give the certificate authority of its certificate with --ca-cert.",
    TlsCause.EXPIRED: "Renew Kibana's certificate, or set the clock of this machine right.",
    TlsCause.OTHER_NAME: "Give --kibana with a name of its certificate.",
    TlsCause.NO_TLS: "Give --kibana with http://, or with the port at which it speaks TLS.",
    TlsCause.OTHER: CHECK_ADDRESS,
}
_TOO_NEW = re.compile(r'Document "(?P<id>[^"]+)" .*?\[(?P<needed>[^\]]+)\].*?\[(?P<known>[^\]]+)\]', re.DOTALL)
DENIED = {
    401: "Give --api-key (or --user and --password) that this Kibana knows.",
    403: "The key needs the privilege `Saved Objects Management: all` in this space.",
    404: WRONG_ADDRESS,
}
_WORDS = {
    "unsupported_type": "this Kibana does not know the type",
    "conflict": "an object of that id is there already",
    "ambiguous_conflict": "several objects there might be meant",
    "missing_references": "it refers to objects that are not there",
}


def version_in(body: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Return the version in a response of /api/status; None if Kibana hides it from anonymous users."""
    number = re.match(r"(\d+)\.(\d+)\.(\d+)", str(body.get("version", {}).get("number", "")))
    return tuple(map(int, number.groups())) if number else None


def dotted(version: tuple[int, ...]) -> str:
    """Format a version, e.g. 9.4.0."""
    return ".".join(map(str, version))


def name_of(item: SavedObject) -> str:
    """Return type and title of a saved object, since its id means nothing to people."""
    attributes = item["attributes"]
    return f"{item['type']} `{attributes.get('name') or attributes.get('title')}`"


def objects_in(export: bytes) -> Iterator[dict[str, Any]]:
    """Yield the objects of an export, without the summary that may follow them."""
    for line in export.split(b"\n"):
        item = json.loads(line) if line.strip() else {}
        if "id" in item:
            yield item


def in_words(error: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Describe one entry of an import's `errors`; `names` maps ids to names of objects."""
    what = error.get("error", {})
    reason = _WORDS.get(what.get("type"), "")
    if what.get("references"):
        reason += ": " + ", ".join(f"{missing['type']} {missing['id']}" for missing in what["references"])
    text = what.get("output", {}).get("payload", {}).get("message") or what.get("message")
    return f"{names.get(error.get('id', ''), error.get('id'))}: {reason or text or json.dumps(what)}"


def too_new(response: requests.Response, objects: Sequence[SavedObject]) -> Problem:
    """Explain Kibana's 422: one object is newer than Kibana supports, so it imported none."""
    try:
        reason = one_line(str(response.json().get("message", "")))
    except (ValueError, AttributeError):
        reason = error_line(response.status_code, response.text)
    match = _TOO_NEW.search(reason)
    item = next((candidate for candidate in objects if match and candidate["id"] == match["id"]), None)
    what = f"Kibana refused the whole file: {reason}"
    if match and item:
        what = (
            f"Kibana refused the whole file: {name_of(item)} is written in format {match['needed']},"
            f" this Kibana knows {item['type']} up to {match['known']}."
        )
    return Problem(what, f"The boards need Kibana {dotted(OLDEST_KIBANA)} or newer.", ExitCode.BAD_DATA)


def _cause(error: BaseException) -> str:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return str(reason or error).split("object at")[-1].split(": ", 1)[-1].strip(" <>")


def problem_of(base: str, response: requests.Response) -> Problem:
    """Explain a response other than 200: what Kibana says, and what to do about it."""
    try:
        reason = one_line(str(response.json().get("message", "")))
    except (ValueError, AttributeError):
        reason = error_words(response.status_code, response.text)
    where = response.headers.get("Location")
    remedy = WRONG_ADDRESS if where else DENIED.get(response.status_code, CHECK_ADDRESS)
    reason = f"it redirects to {where}" if where else reason or "no text"
    code = ExitCode.BAD_DATA if response.status_code in (400, 413) else ExitCode.UNAVAILABLE
    return Problem(f"Kibana at {base} answers {response.status_code}: {reason.rstrip('.')}.", remedy, code)


def unreachable(base: str, error: requests.RequestException) -> Problem:
    """Explain a missing response: the cause in a few words."""
    if isinstance(error, requests.exceptions.SSLError):
        fault = tls_fault(error)
        return Problem(f"Kibana at {base} cannot be used: {fault.words}.", _TLS[fault.cause], ExitCode.UNAVAILABLE)
    if isinstance(error, ValueError):  # raised by requests for an invalid address
        return Problem(f"`{base}` is no address of a Kibana.", "Write it like http://127.0.0.1:5601.", ExitCode.USAGE)
    return Problem(f"Kibana at {base} cannot be reached: {_cause(error)}.", CHECK_ADDRESS, ExitCode.UNAVAILABLE)
