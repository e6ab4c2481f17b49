"""Small servers in the place of nodes of Elasticsearch: one answers by a script, one is frozen, one is gone.

Only such a node fails in a chosen way at a chosen request; real ones are in tests/system.
"""

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.support.front import served

Reply = tuple[int, str, bytes]  # status, content type, body
EMPTY: Reply = (200, "application/json", b'{"took": 1, "errors": false, "hits": {"hits": []}}')
_NGINX = b"""<html>
<head><title>502 Bad Gateway</title></head>
<body>
<center><h1>502 Bad Gateway</h1></center>
<hr><center>nginx/1.24.0</center>
</body>
</html>
"""
PAGE: Reply = (502, "text/html", _NGINX)


@dataclass
class HttpNode:
    """A node: `reply` sees each request but the small ones, None means that the connection closes without an answer."""

    address: str = ""
    reply: Callable[[str, str], Reply | None] = lambda method, path: EMPTY
    requests: list[str] = field(default_factory=list)
    probes: int = 0


class _NodeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    node: HttpNode

    def handle_any(self) -> None:
        """Answer as the script says."""
        self.rfile.read(int(self.headers.get("content-length") or 0))
        is_probe = (self.command, self.path) == ("HEAD", "/")
        if is_probe:
            self.node.probes += 1
        else:
            self.node.requests.append(f"{self.command} {self.path.partition('?')[0]}")
        reply = EMPTY if is_probe else self.node.reply(self.command, self.path)
        if reply is None:
            self.close_connection = True
            return
        status, kind, body = reply
        self.send_response_only(status)
        headers = {"content-type": kind, "content-length": str(len(body))}
        if kind == "application/json":
            headers["x-elastic-product"] = "Elasticsearch"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_any  # noqa: N815  (names that http.server looks for)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that do not like the certificate."""


@contextmanager
def http_node(certificate: Path | None = None, **script: Any) -> Iterator[HttpNode]:
    """Start a node, with TLS if it has a certificate; it is gone afterwards."""
    node = HttpNode(**script)
    server = _QuietServer(("127.0.0.1", 0), type("Handler", (_NodeHandler,), {"node": node}))
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    node.address = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    with served(server):
        yield node


@contextmanager
def frozen_node() -> Iterator[str]:
    """The address of a process that is frozen: the system accepts connections, and nobody answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def gone_node() -> Iterator[str]:
    """An address where nothing listens, held so that nobody else takes it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that handles one connection after the other and closes each; yields host and port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)

        def serve_each() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with suppress(OSError), connection:  # a client that leaves early
                    serve(connection)

        thread = Thread(target=serve_each, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_authority(folder: Path, name: str) -> Path:
    """Make a certificate authority; returns its certificate."""
    certificate = folder / f"{name}.pem"
    _openssl("req", "-x509", *_KEY, "-keyout", folder / f"{name}.key", "-out", certificate, "-subj", f"/CN={name}")
    return certificate


def make_certificate(authority: Path, name: str, days: int, alternative_name: str) -> Path:
    """Make a certificate and its key, signed by the authority; negative `days`: it has expired."""
    folder = authority.parent
    key, request, certificate = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
    extension = folder / f"{name}.ext"
    extension.write_text(f"subjectAltName={alternative_name}\n")
    _openssl("req", *_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
    signing = ("-CA", authority, "-CAkey", authority.with_suffix(".key"), "-CAcreateserial")
    _openssl("x509", "-req", "-in", request, *signing, "-days", days, "-out", certificate, "-extfile", extension)
    chain = folder / f"{name}.pem"
    chain.write_text(key.read_text() + certificate.read_text())
    return chain


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
