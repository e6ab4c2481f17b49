"""Talks to Kibana over HTTP: waits until it is ready, imports saved objects, and verifies that it stored them.

Uses the network and the clock (to wait for a Kibana that is starting). Every failure is a `Problem`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from ingest.core.dashboards.saved_objects import OLDEST_KIBANA, SavedObject, ndjson
from ingest.core.model import ExitCode, Problem
from ingest.edge.http.bodies import error_words
from ingest.edge.kibana.answers import (
    CHECK_ADDRESS,
    REPORT,
    WRONG_ADDRESS,
    dotted,
    in_words,
    name_of,
    objects_in,
    problem_of,
    too_new,
    unreachable,
    version_in,
)

# From this version on Kibana has a public dashboards API, which reports the panels it had to drop.
DASHBOARDS_API = (9, 4)
_POLL_S = 1.0
NOBODY = "nobody answers there"


@dataclass(frozen=True, slots=True)
class Access:
    """Kibana's address and credentials; `space` "" is the default space; `ca_file`: custom CA certificates, PEM."""

    url: str
    space: str = ""
    api_key: str | None = None
    user: str | None = None
    password: str | None = None
    ca_file: str | None = None
    timeout_s: float = 30.0

    @property
    def base(self) -> str:
        """Kibana's address without a trailing slash."""
        return self.url.rstrip("/")


class Kibana:
    """One Kibana, one space. Create it, `wait`, then `put`."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session = requests.Session()
        # Kibana refuses every write request without this header; its value does not matter.
        self._session.headers["kbn-xsrf"] = "perflog"
        # Without an `auth` of its own, requests would read ~/.netrc and overwrite the key.
        self._session.auth = lambda request: request
        if access.api_key:
            self._session.headers["Authorization"] = f"ApiKey {access.api_key}"
        elif access.user:
            self._session.auth = (access.user, access.password or "")

    def wait(self, limit_s: float, pause: Callable[[float], None] = time.sleep) -> tuple[int, ...] | None:
        """Wait until Kibana is available; returns its version, or None if it hides its version.

        Raises:
            Problem: (69) not available within `limit_s`, or older than 8.9.
        """
        deadline_s = time.monotonic() + limit_s
        while True:
            state, version = self._state()
            if state in ("available", "degraded", "green"):
                break
            if time.monotonic() >= deadline_s:
                remedy = CHECK_ADDRESS if state == NOBODY else "See Kibana's own log, or give it longer with --wait."
                what = f"Kibana at {self._access.base} is not available after {limit_s:g} s: {state}."
                raise Problem(what, remedy, ExitCode.UNAVAILABLE)
            pause(_POLL_S)
        if version is not None and version < OLDEST_KIBANA:
            what = f"Kibana at {self._access.base} is {dotted(version)}: too old for the boards."
            raise Problem(what, f"They need {dotted(OLDEST_KIBANA)} or newer.", ExitCode.UNAVAILABLE)
        return version

    def put(self, objects: Sequence[SavedObject], version: tuple[int, ...] | None = None) -> int:
        """Import objects, overwriting existing ones, then read them back and compare; returns their number.

        Args:
            objects: a whole import file.
            version: what `wait` returned; from 9.4 on Kibana is also asked which panels it dropped.

        Raises:
            Problem: (65) Kibana refused or changed an object; (69) it cannot be reached or denies access.
        """
        self._demand_space()
        count = self._import(objects)
        self._compare(objects)
        if version is not None and version >= DASHBOARDS_API:
            for item in objects:
                if item["type"] == "dashboard":
                    self._ask_for_warnings(item)
        return count

    def _state(self) -> tuple[str, tuple[int, ...] | None]:
        try:
            url = f"{self._access.base}/api/status"
            response = self._send("GET", url)
        except requests.exceptions.SSLError as error:
            raise unreachable(self._access.base, error) from error
        except (requests.ConnectionError, requests.Timeout) as error:
            if "resolve" in str(error):
                raise unreachable(self._access.base, error) from error
            return NOBODY, None
        except requests.RequestException as error:
            raise unreachable(self._access.base, error) from error
        if response.is_redirect or (400 <= response.status_code < 500 and response.status_code != 429):
            raise problem_of(self._access.base, response)
        try:
            body = response.json()
            overall = body["status"]["overall"]
            return overall.get("level") or overall.get("state") or "no state given", version_in(body)
        except (ValueError, KeyError, TypeError, AttributeError):
            return f"HTTP {response.status_code}, {error_words(response.status_code, response.text)}", None

    def _demand_space(self) -> None:
        """Check that the space exists: Kibana imports into a missing space silently, where nobody sees the objects."""
        if self._access.space:
            response = self._request("GET", f"spaces/space/{self._access.space}")
            if response.status_code == 404:
                what = f"Kibana at {self._access.base} has no space `{self._access.space}`."
                raise Problem(what, "Create it (Stack Management, Spaces), or leave --space out.", ExitCode.UNAVAILABLE)

    def _import(self, objects: Sequence[SavedObject]) -> int:
        files = {"file": ("perflog.ndjson", ndjson(objects), "application/ndjson")}
        response = self._post("saved_objects/_import", params={"overwrite": "true"}, files=files)
        if response.status_code == 422:
            raise too_new(response, objects)
        body = self._json(response)
        if not body.get("success"):
            names = {item["id"]: name_of(item) for item in objects}
            errors = [in_words(error, names) for error in body.get("errors", ())] or ["it does not say why"]
            what = f"Kibana refused {len(errors)} of {len(objects)} objects: {'; '.join(errors)}."
            raise Problem(what, "The others are in.", ExitCode.BAD_DATA)
        return int(body["successCount"])

    def _compare(self, objects: Sequence[SavedObject]) -> None:
        references = [{"type": item["type"], "id": item["id"]} for item in objects]
        response = self._post("saved_objects/_export", json={"objects": references, "excludeExportDetails": True})
        if response.status_code != 200:
            raise problem_of(self._access.base, response)
        stored = {(item["type"], item["id"]): item for item in objects_in(response.content)}
        wrong = []
        for item in objects:
            stored_object = stored.get((item["type"], item["id"]))
            if stored_object is None:
                wrong.append(f"{name_of(item)} is not there")
            elif len(stored_object.get("references", ())) != len(item["references"]):
                count = len(stored_object.get("references", ()))
                wrong.append(f"{name_of(item)} has {count} references instead of {len(item['references'])}")
        if wrong:
            raise Problem(
                f"Kibana took the import but stored something else: {'; '.join(wrong)}.", REPORT, ExitCode.BAD_DATA
            )

    def _ask_for_warnings(self, item: SavedObject) -> None:
        headers = {"elastic-api-version": "2023-10-31"}
        body = self._json(self._request("GET", f"dashboards/{item['id']}", headers=headers))
        dropped = [warning for warning in body.get("warnings", ()) if warning.get("type") == "dropped_panel"]
        if dropped:
            warnings = "; ".join(str(warning.get("message") or warning) for warning in dropped)
            raise Problem(
                f"Kibana drops {len(dropped)} panels of {name_of(item)}: {warnings}.", REPORT, ExitCode.BAD_DATA
            )

    def _post(self, path: str, **how: Any) -> requests.Response:
        return self._request("POST", path, **how)

    def _request(self, method: str, path: str, **how: Any) -> requests.Response:
        space = f"/s/{self._access.space}" if self._access.space else ""
        url = f"{self._access.base}{space}/api/{path}"
        try:
            return self._send(method, url, **how)
        except requests.RequestException as error:
            raise unreachable(self._access.base, error) from error

    def _send(self, method: str, url: str, **how: Any) -> requests.Response:
        access = self._access
        # A request's own `verify` is the only one that REQUESTS_CA_BUNDLE in the environment does not replace.
        verify = access.ca_file or True
        return self._session.request(method, url, timeout=access.timeout_s, allow_redirects=False, verify=verify, **how)

    def _json(self, response: requests.Response) -> Mapping[str, Any]:
        if response.status_code != 200:
            raise problem_of(self._access.base, response)
        try:
            body = response.json()
        except ValueError as error:
            what = f"What answers at {self._access.base} is not Kibana: it sends no JSON."
            raise Problem(what, WRONG_ADDRESS, ExitCode.UNAVAILABLE) from error
        return body if isinstance(body, Mapping) else {}
