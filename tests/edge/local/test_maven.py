"""The reason why Maven could not fetch the jars, and its remedy: from outputs of Maven 3.8, and by the real one."""

import http.server
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.core.model import Problem
from ingest.edge.local import jars, java
from ingest.edge.local.maven import MOST_CHARACTERS, complaint
from tests.conftest import free_port
from tests.house.test_house import ROOT

POM = ROOT / "deploy" / "local" / "pom.xml"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin"
# As it is printed where its output is no terminal: escape codes all the same, and more advice than reason.
FAILED = """\
\x1b[0m\x1b[0m[ERROR] {reason} -> [Help 1]
[ERROR]
[ERROR] To see the full stack trace of the errors, re-run Maven with the -e switch.
[ERROR] Re-run Maven using the -X switch to enable full debug logging.
[ERROR]
[ERROR] For more information about the errors and possible solutions, please read the following articles:
[ERROR] [Help 1] http://cwiki.apache.org/confluence/display/MAVEN/PluginResolutionException
\x1b[0m\x1b[0m
"""
UNRESOLVED = (
    f"Plugin {PLUGIN}:3.8.1 or one of its dependencies could not be resolved: Failed to read artifact descriptor for"
    f" {PLUGIN}:jar:3.8.1: Could not transfer artifact {PLUGIN}:pom:3.8.1 from/to m (http://127.0.0.1:9/m): "
)
AT = "http://127.0.0.1:9/m/org/apache/maven/plugins/maven-dependency-plugin/3.8.1/maven-dependency-plugin-3.8.1.pom"
UNTRUSTED = (
    "PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid"
    " certification path to requested target"
)
SETTINGS = """\
[ERROR] Error executing Maven.
[ERROR] 1 problem was encountered while building the effective settings
[FATAL] Non-readable settings /m/settings.xml: no more data available @2:1 @ /m/settings.xml

"""
MANY = ", ".join(f"org.example:artefact-{n}:jar:1.0" for n in range(200))


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        (
            f"transfer failed for {AT}: {UNTRUSTED}",
            "update-ca-certificates",
        ),
        (f"transfer failed for {AT}: Unknown host repo.invalid: Name or service not known", "DNS"),
        (f"transfer failed for {AT}: Connect to 127.0.0.1:9 [/127.0.0.1] failed: Connection refused", "<proxy>"),
        (
            f"proxy authentication failed for {AT}, status: 407 Proxy Authentication Required",
            "The proxy wants a name and a password",
        ),
        (f"authentication failed for {AT}, status: 401 Unauthorized", "<server>"),
        (f"authorization failed for {AT}, status: 403 Forbidden", "<server>"),
        (f"transfer failed for {AT}, status: 503 Service Unavailable", "try again later"),
        ("GET request of: org/x.jar from m failed: No space left on device", "Make room"),
        (f"{PLUGIN}:jar:3.8.1 was not found in http://127.0.0.1:9/m during a previous attempt", "<mirror>"),
        ("Cannot access m (http://127.0.0.1:9/m) in offline mode", "<offline>"),
        ("something that nobody has seen yet", "Look whether Maven Central is reached"),
    ],
)
def test_the_innermost_cause_is_named_and_has_a_remedy(cause: str, remedy: str) -> None:
    """Without escape codes, marks of errors, and advice on how to run Maven."""
    for before in (UNRESOLVED, f"The following artifacts could not be resolved: {MANY}: "):
        reason, advice = complaint(FAILED.format(reason=before + cause), 1)

        assert reason.endswith(cause)
        assert len(reason) <= MOST_CHARACTERS + 2
        assert remedy in advice
        assert "Help" not in reason
        assert "\x1b" not in reason


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (SETTINGS, "Non-readable settings /m/settings.xml: no more data available @2:1 @ /m/settings.xml"),
        ("\x1b[0m\x1b[0m", "exit code 1"),
        ("", "exit code 1"),
        ("\nThe JAVA_HOME environment variable is not defined correctly.\n", "The JAVA_HOME environment variable is"),
        ("Error: Could not create the Java Virtual Machine.\n", "Error: Could not create the Java Virtual Machine."),
        (f"[ERROR] {'x' * 5000}", "… xxx"),
    ],
)
def test_whatever_is_printed_a_reason_is_named(printed: str, reason: str) -> None:
    """Settings that Maven cannot read, a Java that does not start, not a word at all."""
    named_reason, _ = complaint(printed, 1)

    assert reason in named_reason
    assert len(named_reason) <= MOST_CHARACTERS + 2


class _Answering(http.server.BaseHTTPRequestHandler):
    """Answers everything with the server's one status."""

    def do_GET(self) -> None:
        self.send_response(int(self.server.status))  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(status: int, certificate: Path | None = None) -> Iterator[int]:
    """A server on a port of its own that answers so; with a certificate (its key in the same file) by TLS."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    server.status = status  # type: ignore[attr-defined]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that does not trust us hangs up
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def mirrored(url: str) -> str:
    """Settings that take everything from there."""
    return f"<mirrors><mirror><id>m</id><mirrorOf>*</mirrorOf><url>{url}</url></mirror></mirrors>"


Failing = Callable[[str], str]


@pytest.fixture
def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Failing:
    """The error message of the real Maven with these settings, in a home where nothing was fetched yet."""
    monkeypatch.setenv("MAVEN_OPTS", f"-Duser.home={tmp_path}")
    (tmp_path / ".m2").mkdir()

    def fetch(settings: str) -> str:
        (tmp_path / ".m2" / "settings.xml").write_text(f"<settings>{settings}</settings>")
        with pytest.raises(Problem) as caught:
            jars.fetched(tmp_path / "cache", POM, "kafka", java.find_all()[0], lambda _: None)
        assert caught.value.exit_code == 69
        assert not list((tmp_path / "cache").iterdir())
        return str(caught.value)

    return fetch


def test_a_certificate_that_is_not_trusted_is_the_reason(failing: Failing, tmp_path: Path) -> None:
    """By a server whose certificate nobody signed, as behind a proxy that looks into TLS."""
    pem = tmp_path / "server.pem"
    options = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", *options, "-keyout", str(pem)]
    certificate = subprocess.run(command, capture_output=True, check=True).stdout
    pem.write_bytes(pem.read_bytes() + certificate)

    with answering(404, pem) as port:
        message = failing(mirrored(f"https://127.0.0.1:{port}/m"))

    assert "PKIX path building failed" in message
    assert "update-ca-certificates" in message


def test_a_mirror_that_does_not_answer_is_the_reason(failing: Failing) -> None:
    """Nobody listens on that port."""
    message = failing(mirrored(f"http://127.0.0.1:{free_port()}/m"))

    assert "Connection refused" in message
    assert "Nobody answers there" in message


def test_a_mirror_that_has_nothing_is_the_reason_and_is_asked_again(failing: Failing) -> None:
    """The second time too, though Maven remembers for a day what it did not find: its mirror may be whole by then."""
    with answering(404) as port:
        messages = [failing(mirrored(f"http://127.0.0.1:{port}/m")) for _ in range(2)]

    assert messages[0] == messages[1]
    assert f"http://127.0.0.1:{port}/m" in messages[0]
    assert "That server does not have it" in messages[0]


def test_a_proxy_that_wants_a_password_is_the_reason(failing: Failing) -> None:
    """The mirror behind it is never reached."""
    with answering(407) as port:
        proxy = f"<active>true</active><protocol>http</protocol><host>127.0.0.1</host><port>{port}</port>"
        message = failing(f"<proxies><proxy>{proxy}</proxy></proxies>{mirrored('http://repo.invalid/m')}")

    assert "407 Proxy Authentication Required" in message
    assert "The proxy wants a name and a password" in message
