"""A server that answers as a Kibana 8.12.2 was seen to answer; no Kibana can be had from a package registry.

Not a double of our own code: real sockets, real HTTP, and the refusals that Kibana was recorded to give.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Answer = tuple[int, Any]


@dataclass
class FakeKibana:
    """A Kibana: its version, the answers that replace the usual ones, and the requests that it got.

    Attributes:
        version: as /api/status shows it; None: it shows only its level to anonymous clients.
        level: the level that it reports, once `unready` answers of 503 are used up.
        instead: path -> the answer given there.
        forget: ids that it accepts and does not store.
        drop_references: stores every object without its references.
        warnings: what the dashboards API of 9.4 says of a board.
    """

    version: str | None = "8.12.2"
    level: str = "available"
    unready: int = 0
    instead: dict[str, Answer] = field(default_factory=dict)
    forget: set[str] = field(default_factory=set)
    drop_references: bool = False
    warnings: list[dict[str, str]] = field(default_factory=list)
    spaces: set[str] = field(default_factory=set)
    stored: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    authorization: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        """The status and the JSON (or bytes) for one request."""
        path = re.sub(r"^/s/[^/]+", "", path)
        self.requests.append(f"{method} {path}")
        self.authorization.append(headers.get("Authorization"))
        bare = path.split("?")[0]
        if bare in self.instead:
            return self.instead[bare]
        if bare == "/api/status":
            return self._status()
        if method == "POST" and not headers.get("kbn-xsrf"):
            return 400, {
                "statusCode": 400,
                "error": "Bad Request",
                "message": "Request must contain a kbn-xsrf header.",
            }
        if bare == "/api/saved_objects/_import":
            return self._import(path, headers, body)
        if bare == "/api/saved_objects/_export":
            return self._export(json.loads(body))
        if bare.startswith("/api/spaces/space/"):
            exists = bare.rsplit("/", 1)[1] in self.spaces
            return (
                (200, {"id": bare})
                if exists
                else (404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"})
            )
        if bare.startswith("/api/dashboards/") and headers.get("elastic-api-version") == "2023-10-31":
            return 200, {"id": bare.rsplit("/", 1)[1], "data": {}, "warnings": self.warnings}
        return 404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"}

    def _status(self) -> Answer:
        if self.unready:
            self.unready -= 1
            return 503, b"Kibana server is not ready yet"
        overall = {"level": self.level, "summary": "told"}
        if self.version is None:
            return 200, {"status": {"overall": overall}}
        return 200, {"version": {"number": self.version, "build_flavor": "traditional"}, "status": {"overall": overall}}

    def _import(self, path: str, headers: Any, body: bytes) -> Answer:
        boundary = re.search(r"boundary=(\S+)", headers["Content-Type"])
        assert boundary is not None
        assert b'filename="perflog.ndjson"' in body
        text = body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--" + boundary[1].encode(), 1)[0]
        objects = [json.loads(line) for line in text.decode().split("\n") if line]
        taken = {(item["type"], item["id"]): item for item in objects}
        if "overwrite=true" not in path and taken.keys() & self.stored.keys():
            return 200, {"success": False, "successCount": 0, "errors": [{"id": "x", "error": {"type": "conflict"}}]}
        for key, item in taken.items():
            if item["id"] not in self.forget:
                self.stored[key] = item | ({"references": []} if self.drop_references else {})
        return 200, {"success": True, "successCount": len(objects), "warnings": [], "successResults": []}

    def _export(self, request: dict[str, Any]) -> Answer:
        assert request["excludeExportDetails"] is True
        objects = [self.stored.get((reference["type"], reference["id"])) for reference in request["objects"]]
        # Kibana separates the lines by \n alone, and leaves U+2028 in them as it is.
        return 200, "\n".join(json.dumps(item, ensure_ascii=False) for item in objects if item).encode()


class _Handler(BaseHTTPRequestHandler):
    kibana: FakeKibana

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, content = self.kibana.answer(self.command, self.path, self.headers, body)
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/base/api/status")
        self.send_header("Content-Type", "text/plain" if isinstance(content, bytes) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _serve  # noqa: N815 - the names that http.server asks for

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the tests look at the requests."""


@contextmanager
def serving(kibana: FakeKibana) -> Iterator[FakeKibana]:
    """The same, listening on a free port of 127.0.0.1."""
    handler = type("Handler", (_Handler,), {"kibana": kibana})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        kibana.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield kibana
        finally:
            server.shutdown()
            thread.join()
