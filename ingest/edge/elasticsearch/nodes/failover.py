"""Sends each request to a node that answers.

Where several nodes are given, a node is asked by a small request before it gets its first one, and again after each
failure. So a node that is frozen costs two seconds, not the whole time-out of a request; one that freezes while a
request is under way costs that request's time-out once, and is then avoided until it answers the small request again.

Going on to another node is part of one attempt. It takes no pause and asks each node at most once; who waits and tries
again is pipeline/sink/retry, for `perflog run` alone.
"""

import logging
import re
from collections.abc import Mapping
from threading import local
from typing import Any

from elastic_transport import (
    BaseNode,
    HttpHeaders,
    NodeConfig,
    NodePool,
    SerializationError,
    Transport,
    TransportApiResponse,
    TransportError,
)
from elastic_transport.client_utils import DEFAULT, DefaultType
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from ingest.edge.http.causes import causes, drop_tracebacks

log = logging.getLogger("perflog.elasticsearch")
PROBE_TIMEOUT_S = 2.0
CUT_OFF = (502, 503, 504)
# Elasticsearch's own 503 of a node that lost the others; its other 503s are the cluster's, whichever node is asked.
_NODE_ALONE = ("master_not_discovered_exception", "cluster_block_exception", "node_closed_exception")
_READING = ("GET", "HEAD")
_READING_BY_POST = re.compile(r"/_(search|count|mget|refresh|pit)(\?|$)")
_WRITING_THE_SAME = re.compile(r"/_index_template/|/_mapping(\?|$)")


Failures = dict[str, TransportError]


class NoAnswer(TransportError):
    """No node answered a request: the failure of each that was asked, by its address."""

    def __init__(self, failures: Failures) -> None:
        """Take at least one failure; the last one speaks for all where one has to."""
        errors = tuple(failures.values())
        super().__init__(errors[-1].message, errors)
        self.failures = failures


class AnsweringNodes(NodePool):
    """The nodes, of which only those that answer get requests, as long as there is one."""

    def __init__(self, node_configs: list[NodeConfig], *arguments: Any, **options: Any) -> None:
        """Begin with every node unasked."""
        super().__init__(node_configs, *arguments, **options)
        self._answering: set[NodeConfig] = set()
        self._silent: set[NodeConfig] = set()
        self._of_thread = local()

    def choose(self, headers: Mapping[str, str], failures: Failures) -> bool:
        """Choose the node of the calling thread's next request; returns whether that node is known to answer.

        `headers` are the request's; the nodes that do not answer are added to `failures`.
        """
        for _ in range(len(self)):
            node = self._of_thread.node = super().get()
            if len(self) == 1 or node.config in self._answering:
                return True
            failure = _probe(node, headers)
            if failure is None:
                return True
            failures[node.base_url] = failure
            self.note_failure(node)
        self._of_thread.node = super().get()  # they may only be slow: the request itself has more time
        return False

    def get(self) -> BaseNode:
        """Return the node that the calling thread chose."""
        node: BaseNode = self._of_thread.node
        return node

    def note_failure(self, node: BaseNode) -> None:
        """Avoid a node until it answers again."""
        super().mark_dead(node)
        self._answering.discard(node.config)
        if len(self) > 1 and node.config not in self._silent:
            self._silent.add(node.config)
            log.info("The node %s of Elasticsearch does not answer; it gets no requests until it does.", node.base_url)

    def note_answer(self, node: BaseNode) -> None:
        """Use a node that has answered."""
        super().mark_live(node)
        self._answering.add(node.config)
        if node.config in self._silent:
            self._silent.discard(node.config)
            log.info("The node %s of Elasticsearch answers again.", node.base_url)

    def mark_dead(self, node: BaseNode, _now: float | None = None) -> None:
        """Ignore the transport's own judgement: to it each 413, 429 or 500 is the failure of a node."""

    def mark_live(self, node: BaseNode) -> None:
        """Ignore it for the same reason."""


def _probe(node: BaseNode, headers: Mapping[str, str]) -> TransportError | None:
    """Ask a node by the small request; None if it answers, with whatever status but that of a proxy alone."""
    credentials = HttpHeaders({name: value for name, value in headers.items() if name.lower() == "authorization"})
    try:
        response = node.perform_request("HEAD", "/", headers=credentials, request_timeout=PROBE_TIMEOUT_S)
    except TransportError as error:
        drop_tracebacks(error)  # through their frames they would hold the request that is to come
        return error
    return TransportError(f"status {response.meta.status}") if response.meta.status in CUT_OFF else None


class FailoverTransport(Transport):
    """Sends a request to one node, and to the next if that one does not answer and asking another is safe.

    A request that never reached a node goes to another, whatever it is. One that may have been carried out goes to
    another only where doing it twice is the same as doing it once: reads, templates and mappings, and what the caller
    marks by `retry_on_timeout`. A write under a condition (`if_seq_no`, `create`) is not that: if the first node did
    carry it out, the second answers 409, as if somebody else had been faster.
    """

    def perform_request(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, Any] | DefaultType = DEFAULT,
        retry_on_timeout: bool | DefaultType = DEFAULT,
        **request: Any,
    ) -> TransportApiResponse:
        """Return the response of the first node that gives one; `NoAnswer` if none does."""
        request |= {"headers": headers, "max_retries": 0, "retry_on_timeout": False}
        sent_headers = {} if isinstance(headers, DefaultType) else headers
        repeatable = retry_on_timeout is True or is_repeatable(method, target)
        nodes: AnsweringNodes = self.node_pool  # type: ignore[assignment]  # `client` builds it with this pool
        failures: Failures = {}
        answers = nodes.choose(sent_headers, failures)
        for others in reversed(range(len(nodes))):
            node = nodes.get()
            try:
                response = super().perform_request(method, target, **request)
            except TransportError as error:
                failures[node.base_url] = error
                if not isinstance(error, SerializationError):
                    nodes.note_failure(node)
                goes_on = others and answers and (repeatable or never_sent(error))
                if not (goes_on and nodes.choose(sent_headers, failures)):
                    raise NoAnswer(failures) from error
                drop_tracebacks(error)
                continue
            if not is_cut_off(response):
                nodes.note_answer(node)
                return response
            nodes.note_failure(node)
            if not (others and answers and repeatable and nodes.choose(sent_headers, failures)):
                return response
        raise AssertionError("the last node's response is returned, or its failure raised")


def is_repeatable(method: str, target: str) -> bool:
    """Whether a request does the same twice as once: it reads, or it writes a template or a mapping."""
    if method in _READING or (method == "POST" and _READING_BY_POST.search(target)):
        return True
    return method == "PUT" and _WRITING_THE_SAME.search(target) is not None


def never_sent(error: TransportError) -> bool:
    """Whether the connection itself failed, so that the node has not seen the request."""
    return any(isinstance(cause, NewConnectionError | ConnectTimeoutError) for cause in causes(error))


def is_cut_off(response: TransportApiResponse) -> bool:
    """Whether a node answers that it is without the others, or a proxy that it is without its node."""
    if response.meta.status not in CUT_OFF:
        return False
    error = response.body.get("error") if isinstance(response.body, Mapping) else None
    return not isinstance(error, Mapping) or error.get("type") in _NODE_ALONE
