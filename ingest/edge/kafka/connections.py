"""Opens kafka-python's clients so that the broker's reason is known when it does not let one in.

kafka-python logs why a connection failed, drops the reason, and tries again until the bootstrap time-out, even after a
rejected password. Its clients take a factory for the object that manages connections (`kafka_client`); the manager
here keeps the last failure of each broker and ends the bootstrap as soon as it is certain to fail.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from kafka import errors
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import create_connection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from ingest.config.settings import Kafka
from ingest.core.model import Problem
from ingest.edge.kafka.brokers.failures import Address, BrokerRefused, NoBrokerAnswers, failure_words, refusal


def _data_first(data: bytes, error: BaseException | None) -> tuple[bytes, BaseException | None]:
    """Hand over what was received before the end of the connection is reported, which the next call does again.

    A broker says why it rejects a client and closes at once. kafka-python reads both together, and drops the words.
    """
    return data, None if data else error


class _TcpTransport(KafkaTCPTransport):  # type: ignore[misc]  # kafka-python is untyped
    def _sock_recv(self) -> tuple[bytes, BaseException | None]:
        return _data_first(*super()._sock_recv())


class _TlsTransport(KafkaSSLTransport):  # type: ignore[misc]
    def _sock_recv(self) -> tuple[bytes, BaseException | None]:
        return _data_first(*super()._sock_recv())


class RecordingManager(KafkaConnectionManager):  # type: ignore[misc]
    """A connection manager that keeps the last failure of each broker until a connection to it succeeds."""

    def __init__(self, kafka: Kafka, net: Any, **configs: Any) -> None:
        """Bind the settings, for the words of a refusal."""
        super().__init__(net, **configs)
        self._kafka = kafka
        self._failures: dict[Any, tuple[Address, BaseException]] = {}
        self._watched: dict[Any, Any] = {}

    def get_connection(self, node_id: Any, *options: Any, **named: Any) -> Any:
        """Return the connection to a broker; raises `BrokerRefused` in a bootstrap that cannot succeed."""
        if self.cluster.is_bootstrap(node_id) and not self.bootstrapped:
            self._end_hopeless_bootstrap()
        connection = super().get_connection(node_id, *options, **named)
        if self._watched.get(node_id) is not connection:
            self._watched[node_id] = connection
            broker = self.cluster.broker_metadata(node_id)
            fail = partial(self._fail, node_id, Address(broker.host, broker.port))
            connection.init_future.add_callback(lambda _: self._failures.pop(node_id, None))
            connection.init_future.add_errback(fail)
            connection.close_future.add_errback(fail)
        return connection

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        """Connect to a broker; a transport whose TLS handshake failed is closed, which kafka-python forgets."""
        proxy, options = self.config["proxy_url"], self.config["socket_options"]
        sock = await create_connection(self._net, node.host, node.port, options, proxy_url=proxy, timeout_at=timeout_at)
        try:
            transport = self._transport(sock, node.host)
        except BaseException:
            sock.close()
            raise
        try:
            await transport.handshake()
        except Exception as error:
            transport.close()
            raise errors.KafkaConnectionError(f"Handshake failed: {error}") from error
        return transport

    def _transport(self, sock: Any, host: str) -> Any:
        if self.ssl_enabled:
            return _TlsTransport(self._net, sock, host=host, ssl_context=self.config["ssl_context"])
        return _TcpTransport(self._net, sock, host=host)

    def _fail(self, node_id: Any, at: Address, error: BaseException) -> None:
        self._failures[node_id] = at, error

    def _end_hopeless_bootstrap(self) -> None:
        """Raise `BrokerRefused` once every bootstrap broker has failed and one of them refuses for good."""
        if all(broker.node_id in self._failures for broker in self.cluster.bootstrap_brokers()):
            self.raise_refusal(ask=True)

    def raise_refusal(self, ask: bool) -> None:
        """Raise `BrokerRefused` if a broker that failed refuses for good; `ask` as for `refusal`."""
        for at, error in list(self._failures.values()):
            if problem := refusal(error, at, self._kafka, ask):
                raise BrokerRefused(problem) from error

    def refused_since_bootstrap(self) -> Problem | None:
        """Return why a broker of the cluster refuses this client now, None if none does."""
        for node_id, (at, error) in list(self._failures.items()):
            is_member = not self.cluster.is_bootstrap(node_id) and self.cluster.broker_metadata(node_id) is not None
            if is_member and (problem := refusal(error, at, self._kafka, ask=False)):
                return problem
        return None

    def failures_in_words(self) -> str:
        """Say for each broker that failed why it was not reached."""
        failures = [failure_words(error, at) for at, error in list(self._failures.values())]
        return "; ".join(failures) or "what listens there does not answer as a broker"


class RecordingClient(KafkaNetClient):  # type: ignore[misc]  # kafka-python is untyped
    """What kafka-python's clients take as `kafka_client`: connections whose failures are kept."""

    def __init__(self, kafka: Kafka, **configs: Any) -> None:
        """Build the connections; nothing is sent yet."""
        net = NetworkSelector(**configs)
        self.manager = RecordingManager(kafka, net, **configs)
        super().__init__(net, self.manager, **configs)


def open_client(kind: Callable[..., Any], kafka: Kafka, **configs: Any) -> tuple[Any, RecordingManager]:
    """Open a consumer, producer or admin client and return it with its connections.

    Raises `BrokerRefused` at the first answer that refuses the client, `NoBrokerAnswers` after the time-out. Then no
    thread or socket of it is left, so a worker may try as often as it likes.
    """
    clients: list[RecordingClient] = []

    def build(**settings: Any) -> RecordingClient:
        clients.append(RecordingClient(kafka, **settings))
        return clients[-1]

    try:
        return kind(kafka_client=build, **configs), clients[0].manager
    except BaseException as error:
        for client in clients:
            client.close()
        if isinstance(error, errors.KafkaTimeoutError) and clients:
            clients[0].manager.raise_refusal(ask=True)
            raise NoBrokerAnswers(clients[0].manager.failures_in_words()) from error
        raise
