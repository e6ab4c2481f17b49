"""A real broker with certificates, passwords and rights: a listener for each fault, and an operator who grants rights.

The authorizer is Kafka's own. Whoever comes by the listener `OPERATOR` may do everything; every other user may do what
was granted and nothing else.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)

from ingest.edge.local import kafka_broker, plan, processes
from ingest.edge.local.plan import KAFKA, LocalStack
from tests.support.waiting import eventually

OPERATOR, PASSWORD, SECURE, TLS, EXPIRED, ELSEWHERE = LISTENERS = (
    "OPERATOR", "PASSWORD", "SECURE", "TLS", "EXPIRED", "ELSEWHERE",
)  # fmt: skip
CERTIFICATES = {  # listener -> days that its certificate is valid, and the host that it names
    SECURE: (2, "IP:127.0.0.1"),
    TLS: (2, "IP:127.0.0.1"),
    EXPIRED: (-1, "IP:127.0.0.1"),
    ELSEWHERE: (2, "DNS:kafka.example.org"),
}
RENEWAL_MS = 1000  # how long a password that was accepted by SCRAM is good for
USERS = {f"user{n}": f"secret{n}" for n in range(20)}
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_PROTOCOLS = {OPERATOR: "PLAINTEXT", PASSWORD: "SASL_PLAINTEXT", SECURE: "SASL_SSL"}


@dataclass(frozen=True)
class SecureBroker:
    """The running broker: the port of each listener, the CA that signed its certificates, and its log."""

    ports: dict[str, int]
    ca_file: Path
    other_ca_file: Path
    log: Path

    def address(self, listener: str) -> str:
        """Host and port of a listener."""
        return f"127.0.0.1:{self.ports[listener]}"

    @contextmanager
    def operator(self) -> Iterator[Any]:
        """The admin client of whoever may do everything."""
        admin = KafkaAdminClient(bootstrap_servers=self.address(OPERATOR))
        try:
            yield admin
        finally:
            admin.close()

    def grant(self, user: str, *rights: str) -> None:
        """Grant rights like `WRITE TOPIC perf.a` or `CREATE CLUSTER kafka-cluster`."""
        with self.operator() as admin:
            done = admin.create_acls([_acl(user, right) for right in rights])
        assert not done["failed"], done

    def revoke(self, user: str, *rights: str) -> None:
        """Take rights away."""
        with self.operator() as admin:
            for matching, _, error in admin.delete_acls([_acl(user, right) for right in rights]):
                assert matching, error

    def set_password(self, user: str, password: str) -> None:
        """Set the password by which a user is known to SCRAM."""
        with self.operator() as admin:
            admin.alter_user_scram_credentials([UserScramCredentialUpsertion(user, "SCRAM-SHA-512", password)])


def _acl(user: str, right: str) -> ACL:
    operation, kind, name = right.split()
    pattern = ResourcePattern(ResourceType[kind], name)
    return ACL(f"User:{user}", "*", ACLOperation[operation], ACLPermissionType.ALLOW, pattern)


@contextmanager
def secure_broker(folder: Path, ports: list[int]) -> Iterator[SecureBroker]:
    """Start the broker; returns once it answers and ends it afterwards."""
    listener_ports = dict(zip((*LISTENERS, "CONTROLLER"), ports, strict=True))
    wanted = LocalStack(folder=folder, kafka_port=ports[0], controller_port=ports[-1], kafka_heap_mib=256,
                        short_lived=True)  # fmt: skip
    (service,) = plan.services(wanted, [KAFKA], lambda _: None)
    service.prepare()
    ca_file, other_ca_file = _authority(folder, "ca"), _authority(folder, "other")
    for listener, (days, host) in CERTIFICATES.items():
        _certificate(folder, listener.lower(), days, host)
    with (folder / KAFKA / "server.properties").open("a") as properties:
        properties.write(_properties(folder, listener_ports))
    service.log.parent.mkdir(exist_ok=True)
    process = processes.spawn(service.command, service.log)
    try:
        eventually(lambda: kafka_broker.answers(ports[0]), "the broker answers", details=service.log.read_text)
        yield SecureBroker(listener_ports, ca_file, other_ca_file, service.log)
    finally:
        processes.end([process])


def _properties(folder: Path, ports: dict[str, int]) -> str:
    protocols = {**dict.fromkeys(LISTENERS, "SSL"), **_PROTOCOLS, "CONTROLLER": "PLAINTEXT"}
    addresses = {name: f"{name}://127.0.0.1:{port}" for name, port in ports.items()}
    plain_users = " ".join(f'user_{name}="{password}"' for name, password in USERS.items())
    plain = f"org.apache.kafka.common.security.plain.PlainLoginModule required {plain_users};"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    lines = [
        "",
        f"listeners={','.join(addresses.values())}",
        f"advertised.listeners={','.join(addresses[name] for name in LISTENERS)}",
        f"listener.security.protocol.map={','.join(f'{name}:{protocol}' for name, protocol in protocols.items())}",
        f"inter.broker.listener.name={OPERATOR}",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:ANONYMOUS",
        "listener.name.password.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512",
        f"listener.name.password.plain.sasl.jaas.config={plain}",
        f"listener.name.password.scram-sha-512.sasl.jaas.config={scram}",
        f"listener.name.password.scram-sha-512.connections.max.reauth.ms={RENEWAL_MS}",
        "listener.name.secure.sasl.enabled.mechanisms=PLAIN",
        f"listener.name.secure.plain.sasl.jaas.config={plain}",
    ]
    for listener in map(str.lower, CERTIFICATES):
        lines += [
            f"listener.name.{listener}.ssl.keystore.type=PEM",
            f"listener.name.{listener}.ssl.keystore.location={folder / f'{listener}.pem'}",
        ]
    return "\n".join(lines) + "\n"


def _authority(folder: Path, name: str) -> Path:
    certificate = folder / f"{name}.pem"
    _openssl("req", "-x509", *_KEY, "-keyout", folder / f"{name}.key", "-out", certificate, "-subj", f"/CN={name}")
    return certificate


def _certificate(folder: Path, name: str, days: int, host: str) -> None:
    key, request, certificate = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
    extension = folder / f"{name}.ext"
    extension.write_text(f"subjectAltName={host}\n")
    _openssl("req", *_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
    _openssl("x509", "-req", "-in", request, "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial",
             "-days", days, "-out", certificate, "-extfile", extension)  # fmt: skip
    (folder / f"{name}.pem").write_text(key.read_text() + certificate.read_text())


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
