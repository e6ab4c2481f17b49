"""What is looked at before anything starts; ports and memory are the machine's own."""

import socket
from pathlib import Path

import pytest

from ingest.core.model import Problem
from ingest.edge.local import checks


def test_a_taken_port_names_its_option_and_how_to_find_the_holder() -> None:
    """The remedy is to choose another or to end that program."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(Problem, match=rf"Port {port} .* is taken.*--kafka-port.*ss -ltnp") as caught:
            checks.ports_free({"--kafka-port": port})

    assert caught.value.exit_code == 69


def test_a_port_taken_on_all_addresses_is_taken() -> None:
    """A server on 0.0.0.0 answers at 127.0.0.1 too."""
    with socket.create_server(("", 0)) as holder, pytest.raises(Problem, match="is taken"):
        checks.ports_free({"--kafka-port": holder.getsockname()[1]})


def test_a_port_with_a_connection_just_closed_is_free() -> None:
    """A stack that was ended may be started again at once, although its connections linger in TIME_WAIT."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        served, _ = server.accept()
        served.close()
        client.close()

    checks.ports_free({"--kafka-port": port})


def test_a_free_port_is_free() -> None:
    """As far as one can know."""
    port = checks.free_port()

    checks.ports_free({"--controller-port": port})
    assert 1024 <= port <= 65535


def test_two_servers_on_one_port_are_refused() -> None:
    """Only the two that clash are named."""
    ports = {"--kafka-port": 2000, "--controller-port": 3000, "--elasticsearch-port": 2000}

    with pytest.raises(Problem, match=r"^--kafka-port and --elasticsearch-port name the same port 2000") as caught:
        checks.ports_free(ports)

    assert caught.value.exit_code == 64


def test_too_little_memory_names_both_figures() -> None:
    """No machine has a hundred million MiB; a heap of nothing fits everywhere the tests run."""
    checks.memory_suffices([1])

    with pytest.raises(
        Problem, match=r"needs 100000256 MiB, \d+ MiB are available.*--elasticsearch-heap-mib"
    ) as caught:
        checks.memory_suffices([100_000_000])

    assert caught.value.exit_code == 69


@pytest.mark.parametrize("name", ["a:b", "a,b"])
def test_a_folder_that_java_cannot_name_is_refused(name: str) -> None:
    """Its class path would fall into two."""
    with pytest.raises(Problem, match="--folder"):
        checks.folder_usable(Path("/tmp") / name)
