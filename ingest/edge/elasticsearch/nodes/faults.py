"""Says in words why no node answered a request, and what to do about it."""

from http.client import BadStatusLine
from typing import NamedTuple

from elastic_transport import ConnectionTimeout, SerializationError, TlsError, TransportError
from urllib3.exceptions import NameResolutionError

from ingest.edge.elasticsearch.nodes.failover import NoAnswer
from ingest.edge.http.bodies import one_line
from ingest.edge.http.causes import causes
from ingest.edge.http.tls import TlsCause, tls_fault

_REMEDIES = {
    TlsCause.UNTRUSTED: "Name the authority that signed its certificate in `elasticsearch.ca_certs`.",
    TlsCause.EXPIRED: "Renew the server's certificate, or set the clock of this machine right.",
    TlsCause.OTHER_NAME: "Write a name of its certificate in `elasticsearch.url`, or give it one for this name.",
    TlsCause.NO_TLS: "Write `http://` in `elasticsearch.url`, or the port at which it speaks TLS.",
    TlsCause.OTHER: "Are `elasticsearch.url` and `elasticsearch.ca_certs` right?",
}
_HTTPS_WANTED = "If it speaks TLS, write `https://` in `elasticsearch.url`."
# What a server does, or says, that wants TLS and was spoken to in plain text.
_CLOSED = (ConnectionResetError, BrokenPipeError, BadStatusLine)


class NodeFault(NamedTuple):
    """What is wrong with a node, as the rest of a sentence about it; `remedy` is "" where it only has to come back."""

    words: str
    remedy: str = ""


def node_fault(error: TransportError, address: str = "") -> NodeFault:
    """Return why one node, at this address, did not answer."""
    if isinstance(error, TlsError):
        fault = tls_fault(error)
        return NodeFault(f"cannot be used: {fault.words}", _REMEDIES[fault.cause])
    if isinstance(error, ConnectionTimeout):
        return NodeFault("gives no answer in time")
    if isinstance(error, SerializationError):
        return NodeFault("does not answer in JSON", "Is it Elasticsearch at `elasticsearch.url`?")
    chain = list(causes(error))
    if any(isinstance(cause, NameResolutionError) for cause in chain):
        return NodeFault("does not answer (its host name is not known)")
    if any(isinstance(cause, _CLOSED) for cause in chain):
        remedy = "" if address.startswith("https:") else _HTTPS_WANTED
        return NodeFault("does not answer (it closes the connection)", remedy)
    by_system = (cause.strerror for cause in chain if isinstance(cause, OSError) and cause.strerror)
    words = next(by_system, str(error.message))
    return NodeFault(f"does not answer ({one_line(words[:1].lower() + words[1:])})")


def failure_words(error: TransportError) -> NodeFault:
    """Return which nodes did not answer and why each did not, in a sentence without its full stop, and the remedies."""
    if not isinstance(error, NoAnswer):
        fault = node_fault(error)
        return NodeFault(f"Elasticsearch {fault.words}", fault.remedy)
    faults = {node: node_fault(failure, node) for node, failure in error.failures.items()}
    words = ", ".join(f"at {node} {fault.words}" for node, fault in faults.items())
    remedies = dict.fromkeys(fault.remedy for fault in faults.values() if fault.remedy)
    return NodeFault(f"Elasticsearch {words}", " ".join(remedies))
