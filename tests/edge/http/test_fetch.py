"""A document at an HTTPS address: read within limits; what is not within them is said in words."""

import ssl
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ingest.core.model import ExitCode, Problem
from ingest.edge.http.fetch import FetchLimits, fetch, is_url

LIMIT_BYTES = 100_000


class Handler(BaseHTTPRequestHandler):
    """Answers by path; counts what it was asked."""

    asked: list[str]

    def do_GET(self) -> None:
        """`/redirect/N` redirects N times, `/large` never ends, `/http` leads away from TLS."""
        self.asked.append(self.path)
        word, _, number = self.path.lstrip("/").partition("/")
        if word == "redirect" and int(number):
            self._answer(302, b"", f"/redirect/{int(number) - 1}")
        elif word == "http":
            self._answer(301, b"", "http://127.0.0.1:1/x")
        elif word == "missing":
            self._answer(404, b"")
        elif word == "large":
            self._answer(200, b"x" * (LIMIT_BYTES + 1))
        else:
            self._answer(200, b"here: " + str(self.headers.get("Authorization")).encode())

    def _answer(self, status: int, body: bytes, location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    key, signed = folder / "key.pem", folder / "signed.pem"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*words, "-keyout", key, "-out", signed, *subject], check=True, capture_output=True)
    (folder / "both.pem").write_bytes(key.read_bytes() + signed.read_bytes())
    return folder / "both.pem"


@pytest.fixture
def address(certificate: Path) -> Iterator[str]:
    """The address of a server with that certificate."""
    handler = type("Asked", (Handler,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def limits(certificate: Path, redirects: int = 3) -> FetchLimits:
    """Limits that trust the server's certificate."""
    return FetchLimits(LIMIT_BYTES, redirects, 30.0, str(certificate))


def test_a_document_is_read_through_redirects(address: str, certificate: Path) -> None:
    """Without credentials of this account, which requests would send by itself."""
    assert fetch(f"{address}/redirect/3", limits(certificate)) == b"here: None"


@pytest.mark.parametrize(
    ("path", "message", "code"),
    [
        ("/redirect/4", "was redirected more than 3 times", ExitCode.UNAVAILABLE),
        ("/http", "is no HTTPS address", ExitCode.USAGE),
        ("/missing", "answers with 404", ExitCode.UNAVAILABLE),
        ("/large", "is larger than 100,000 bytes", ExitCode.BAD_DATA),
    ],
)
def test_what_is_not_within_the_limits_is_said(
    address: str, certificate: Path, path: str, message: str, code: ExitCode
) -> None:
    """Too many redirects, a redirect away from TLS, another status, a body without end."""
    with pytest.raises(Problem) as problem:
        fetch(address + path, limits(certificate))

    assert message in problem.value.message
    assert problem.value.exit_code == code


def test_a_certificate_that_is_not_trusted_is_named(address: str) -> None:
    """Nothing is read from a server that may be another."""
    with pytest.raises(Problem) as problem:
        fetch(f"{address}/", FetchLimits(LIMIT_BYTES))

    assert "self-signed certificate" in problem.value.message
    assert problem.value.exit_code == ExitCode.UNAVAILABLE


def test_an_address_is_told_from_a_file() -> None:
    """By its scheme, whatever it is."""
    assert is_url("https://mesh.example/a.json")
    assert is_url("ftp://mesh.example/a.json")
    assert not is_url("meshes/a.json")
