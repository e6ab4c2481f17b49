"""A front before Elasticsearch that tests own: it hands every request on, and lets a test step in at a bulk request.

It is the only way to stand exactly between the node's answer and the worker; the worker itself knows nothing of it.
"""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass(frozen=True)
class Answer:
    """What goes back to the worker."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Bulk:
    """A bulk request on its way: its (action, document) pairs; `hand_on` asks the node, `hand_on_only` for some."""

    kind: str
    pairs: list[tuple[dict[str, Any], dict[str, Any]]]
    hand_on: Callable[[], Answer]
    hand_on_only: Callable[[list[int]], Answer]

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Index and id of each document."""
        metas = [next(iter(action.values())) for action, _ in self.pairs]
        return [(meta["_index"], meta["_id"]) for meta in metas]


def refusal(status: int, body: object) -> Answer:
    """An answer as the node would give it."""
    told = (("content-type", "application/json"), ("x-elastic-product", "Elasticsearch"))
    return Answer(status, told, json.dumps(body).encode())


Step = Callable[[Bulk], Answer | None]


@dataclass
class Front:
    """Where the worker is told that Elasticsearch is; `step` sees each bulk request, None means no answer at all."""

    target: str
    step: Step = lambda bulk: bulk.hand_on()
    address: str = ""
    seen: list[str] = field(default_factory=list)

    def forwarded(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Ask the node."""
        url = urlsplit(self.target)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in HOP_HEADERS}
            connection.request(method, path, body or None, kept)
            found = connection.getresponse()
            told = tuple((n, v) for n, v in found.getheaders() if n.lower() not in HOP_HEADERS)
            return Answer(found.status, told, found.read())
        finally:
            connection.close()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
        """Hand it on, or, for a bulk request, let the test decide."""
        if not path.startswith("/_bulk"):
            return self.forwarded(method, path, headers, body)
        lines = body.splitlines()

        def only(wanted: list[int]) -> Answer:
            part = b"".join(line + b"\n" for n in wanted for line in lines[2 * n : 2 * n + 2])
            return self.forwarded(method, path, headers, part)

        pairs = [(json.loads(a), json.loads(d)) for a, d in zip(lines[::2], lines[1::2], strict=True)]
        index = next(iter(pairs[0][0].values()))["_index"]
        kind = index.split("-")[1]
        self.seen.append(kind)
        return self.step(Bulk(kind, pairs, lambda: self.forwarded(method, path, headers, body), only))


@contextmanager
def front(target: str) -> Iterator[Front]:
    """A front on a free port, gone afterwards."""
    made = Front(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            found = made.answer(self.command, self.path, dict(self.headers.items()), body)
            if found is None:
                self.close_connection = True
                return
            self.send_response_only(found.status)
            for name, value in (*found.headers, ("content-length", str(len(found.body)))):
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(found.body)

        do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_any  # noqa: N815  (names that http.server looks for)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
