"""Reads a document at an HTTPS address within limits of size, time and redirects. Every failure is a `Problem`."""

import time
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests

from ingest.core.model import ExitCode, Problem

MIB = 1024 * 1024
CHUNK_BYTES = 64 * 1024
REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """The most that one document may take; `ca_file`: custom CA certificates, PEM."""

    size_bytes: int = 50 * MIB
    redirects: int = 5
    time_s: float = 60.0
    ca_file: str | None = None


def is_url(location: str) -> bool:
    """Whether a location is an address and no file."""
    return "://" in location


def fetch(url: str, limits: FetchLimits) -> bytes:
    """Read the document; `Problem`: 64 for another scheme than https, 65 if it is too large, 69 if it does not come."""
    deadline_s = time.monotonic() + limits.time_s
    with requests.Session() as session:
        session.auth = lambda request: request  # without one, requests would send what ~/.netrc holds
        for _ in range(limits.redirects + 1):
            _demand_https(url)
            try:
                # Passed with each request: a session's own would lose against the environment's.
                verify = limits.ca_file or True
                with session.get(
                    url, stream=True, allow_redirects=False, timeout=limits.time_s, verify=verify
                ) as response:
                    if response.status_code not in REDIRECTS:
                        return _body(response, url, limits, deadline_s)
                    url = urljoin(url, response.headers.get("Location", ""))
            except requests.RequestException as error:
                raise Problem(
                    f"{url[:200]} cannot be read: {_reason(error)}.", "Is the address right?", ExitCode.UNAVAILABLE
                ) from error
    raise Problem(f"{url[:200]} was redirected more than {limits.redirects} times.", "", ExitCode.UNAVAILABLE)


def _demand_https(url: str) -> None:
    if urlsplit(url).scheme != "https":
        raise Problem(f"{url[:200]} is no HTTPS address.", "Only https:// is read, and files.", ExitCode.USAGE)


def _body(response: requests.Response, url: str, limits: FetchLimits, deadline_s: float) -> bytes:
    if response.status_code != 200:
        raise Problem(f"{url[:200]} answers with {response.status_code}.", "", ExitCode.UNAVAILABLE)
    body = bytearray()
    for chunk in response.iter_content(CHUNK_BYTES):
        body += chunk
        if len(body) > limits.size_bytes:
            raise Problem(f"{url[:200]} is larger than {limits.size_bytes:,} bytes.", "", ExitCode.BAD_DATA)
        if time.monotonic() > deadline_s:
            raise Problem(f"{url[:200]} takes longer than {limits.time_s:.0f} s.", "", ExitCode.UNAVAILABLE)
    return bytes(body)


def _reason(error: requests.RequestException) -> str:
    """The innermost reason, in words."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return " ".join(str(cause).split())[:200] or type(cause).__name__
