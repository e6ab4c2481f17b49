"""A proxy before Elasticsearch that tests own: it forwards every request, and lets a test step in at a bulk request.

Only a proxy can act exactly between the node's answer and the worker. The worker does not notice it.
It forwards bytes as they are. It parses a bulk request only for a step that looks into it.
"""

import http.client
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
WORKER = re.compile(r"/w([0-9]+)(/.*)")  # a worker may have an address of its own, which identifies it
KIND = re.compile(rb'"_index":\s*"perf-([a-z]+)-')


@dataclass(frozen=True)
class Answer:
    """What goes back to the worker; `cut_bytes`: the connection breaks after so many bytes of the body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    cut_bytes: int | None = None


@dataclass(frozen=True)
class Bulk:
    """A bulk request on its way; `ask` asks the node with a body; `worker` is the number in the worker's address."""

    body: bytes
    ask: Callable[[bytes], Answer]
    worker: int | None = None

    @cached_property
    def kind(self) -> str:
        """The kind of its first document."""
        match = KIND.search(self.body)
        return match[1].decode() if match else ""

    @cached_property
    def count(self) -> int:
        """How many documents are in it."""
        return self.body.count(b"\n") // 2

    @cached_property
    def pairs(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Its (action, document) pairs."""
        lines = self.body.splitlines()
        return [(json.loads(a), json.loads(d)) for a, d in zip(lines[::2], lines[1::2], strict=True)]

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Index and id of each document."""
        metas = [next(iter(action.values())) for action, _ in self.pairs]
        return [(meta["_index"], meta["_id"]) for meta in metas]

    def hand_on(self) -> Answer:
        """Ask the node for all of it."""
        return self.ask(self.body)

    def hand_on_only(self, positions: list[int]) -> Answer:
        """Forward only the documents at these positions."""
        lines = self.body.splitlines(keepends=True)
        return self.ask(b"".join(line for n in positions for line in lines[2 * n : 2 * n + 2]))


def refusal(status: int, body: object) -> Answer:
    """An answer as the node would give it."""
    headers = (("content-type", "application/json"), ("x-elastic-product", "Elasticsearch"))
    return Answer(status, headers, json.dumps(body).encode())


Step = Callable[[Bulk], Answer | None]


@dataclass
class Front:
    """The address that the worker takes for Elasticsearch; `step` sees each bulk request, None means no answer at all.

    While `away` it answers nothing; `refused` counts the requests without an answer. It waits for the node's answer for
    `timeout_s`.
    """

    target: str
    step: Step = lambda bulk: bulk.hand_on()
    address: str = ""
    away: bool = False
    refused: int = 0
    timeout_s: float = 60.0
    seen: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    """One connection of the worker, and one of its own to the node."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    front: Front
    node: http.client.HTTPConnection | None = None
    worker: int | None = None

    def handle_any(self) -> None:
        """Forward the request, or, if it is a bulk request, let the test decide."""
        match = WORKER.fullmatch(self.path)
        self.worker, self.path = (int(match[1]), match[2]) if match else (None, self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            answer = None if self.front.away else self.answer(body)
        except (OSError, http.client.HTTPException):  # the node is away: give no answer either
            answer = None
        if answer is None:
            self.front.refused += 1
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in (*answer.headers, ("content-length", str(len(answer.body)))):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: answer.cut_bytes])
        self.close_connection |= answer.cut_bytes is not None

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_any  # noqa: N815  (names that http.server looks for)

    def answer(self, body: bytes) -> Answer | None:
        """The node's answer, or the step's."""
        if not self.path.startswith("/_bulk"):
            return self.ask(body)
        bulk = Bulk(body, self.ask, self.worker)
        self.front.seen.append(bulk.kind)
        return self.front.step(bulk)

    def ask(self, body: bytes) -> Answer:
        """Ask the node with this body."""
        if self.node is None:
            url = urlsplit(self.front.target)
            self.node = http.client.HTTPConnection(url.hostname or "", url.port, timeout=self.front.timeout_s)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_HEADERS}
            self.node.request(self.command, self.path, body or None, headers)
            response = self.node.getresponse()
            response_headers = tuple((n, v) for n, v in response.getheaders() if n.lower() not in HOP_HEADERS)
            return Answer(response.status, response_headers, response.read())
        except (OSError, http.client.HTTPException):
            self.node.close()
            self.node = None
            raise

    def finish(self) -> None:
        """The connection to the node goes with the worker's."""
        if self.node is not None:
            self.node.close()
        super().finish()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    """Quiet about workers that are killed with an answer on its way to them."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(server: ThreadingHTTPServer) -> Iterator[None]:
    """A server that answers in a thread of its own, gone afterwards."""
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def front(target: str) -> Iterator[Front]:
    """A front on a free port, gone afterwards."""
    made = Front(target)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"front": made}))
    made.address = f"http://127.0.0.1:{server.server_port}"
    with served(server):
        yield made
