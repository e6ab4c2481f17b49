"""Addresses of a cluster: a TOML list, a text with commas, the environment; what cannot be one says so (78)."""

from pathlib import Path

import pytest

from ingest.config.load import load_settings
from ingest.core.model import ExitCode, Problem

THREE_BROKERS = ("k1:9092", "k2:9092", "k3:9092")
THREE_NODES = ("http://e1:9200", "http://e2:9200", "http://e3:9200")


def loaded(tmp_path: Path, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The addresses of both clusters."""
    path = tmp_path / "perflog.toml"
    path.write_text(text)
    settings = load_settings(path)
    return settings.kafka.bootstrap, settings.elasticsearch.url


@pytest.mark.parametrize(
    ("bootstrap", "url"),
    [
        ('["k1:9092", "k2:9092", "k3:9092"]', '["http://e1:9200", "http://e2:9200", "http://e3:9200"]'),
        ('"k1:9092,k2:9092,k3:9092"', '"http://e1:9200,http://e2:9200,http://e3:9200"'),
        ('" k1:9092 , k2:9092,\tk3 "', '"http://e1:9200, http://e2:9200 ,http://e3:9200 "'),
        ('["k1:9092, k2", "k3"]', '["http://e1:9200,http://e2:9200", "http://e3:9200"]'),
    ],
)
def test_a_list_and_a_text_with_commas_are_the_same(tmp_path: Path, bootstrap: str, url: str) -> None:
    """Blanks around commas mean nothing; a broker without a port has Kafka's own."""
    text = f"[kafka]\nbootstrap = {bootstrap}\n[elasticsearch]\nurl = {url}\n"

    assert loaded(tmp_path, text) == (THREE_BROKERS, THREE_NODES)


def test_one_environment_variable_holds_several_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped settings read both addresses from the environment."""
    monkeypatch.setenv("PERFLOG_KAFKA", "k1:9092, k2:9092, k3:9092")
    monkeypatch.setenv("PERFLOG_ELASTICSEARCH", "http://e1:9200,http://e2:9200,http://e3:9200")
    monkeypatch.delenv("PERFLOG_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    settings = load_settings()

    assert (settings.kafka.bootstrap, settings.elasticsearch.url) == (THREE_BROKERS, THREE_NODES)


@pytest.mark.parametrize("address", ["[::1]:9092", "kafka", "10.0.0.7:9092"])
def test_brokers_are_named_by_host_and_port(tmp_path: Path, address: str) -> None:
    """A name, an address of version 4 or 6."""
    expected = address if address.endswith(":9092") else f"{address}:9092"

    assert loaded(tmp_path, f"[kafka]\nbootstrap = '{address}'\n")[0] == (expected,)


@pytest.mark.parametrize("url", ["http://[::1]:9200", "https://es.example.org:443/elastic", "http://10.0.0.7:9200"])
def test_nodes_are_named_by_url(tmp_path: Path, url: str) -> None:
    """A proxy may have a path before them."""
    assert loaded(tmp_path, f"[elasticsearch]\nurl = '{url}'\n")[1] == (url,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[kafka]\nbootstrap = 'k1:9092,,k2:9092'\n", ["kafka.bootstrap", "empty address"]),
        ("[kafka]\nbootstrap = 'k1:9092,'\n", ["kafka.bootstrap", "empty address"]),
        ("[kafka]\nbootstrap = ''\n", ["kafka.bootstrap", "empty address"]),
        ("[kafka]\nbootstrap = []\n", ["kafka.bootstrap", "names no address"]),
        ("[kafka]\nbootstrap = 'k1:9092,k1'\n[elasticsearch]\nurl = ' '\n", ["elasticsearch.url", "empty address"]),
        ("[kafka]\nbootstrap = 'k1,k1'\n", ["kafka.bootstrap", "stands twice"]),
        ("[kafka]\nbootstrap = 'PLAINTEXT://k1:9092'\n", ["kafka.bootstrap", "HOST:PORT"]),
        ("[kafka]\nbootstrap = 'k1:ninety'\n", ["kafka.bootstrap", "HOST:PORT"]),
        ("[kafka]\nbootstrap = 'k1:99999'\n", ["kafka.bootstrap", "HOST:PORT"]),
        ("[kafka]\nbootstrap = 'k1:9092 k2:9092'\n", ["kafka.bootstrap", "HOST:PORT"]),
        ("[kafka]\nbootstrap = ':9092'\n", ["kafka.bootstrap", "HOST:PORT"]),
        ("[elasticsearch]\nurl = 'http://e1:9200,'\n", ["elasticsearch.url", "empty address"]),
        ("[elasticsearch]\nurl = []\n", ["elasticsearch.url", "names no address"]),
        ("[elasticsearch]\nurl = 'e1:9200'\n", ["elasticsearch.url", "`e1:9200`", "no URL", "https://"]),
        ("[elasticsearch]\nurl = 'e1'\n", ["elasticsearch.url", "no URL"]),
        ("[elasticsearch]\nurl = 'ftp://e1:9200'\n", ["elasticsearch.url", "no URL"]),
        ("[elasticsearch]\nurl = 'http://e1'\n", ["elasticsearch.url", "host and port"]),
        ("[elasticsearch]\nurl = 'http://e1:none'\n", ["elasticsearch.url", "`http://e1:none`"]),
        ("[elasticsearch]\nurl = 'http://e1:9200 http://e2:9200'\n", ["elasticsearch.url", "no URL"]),
        ("[elasticsearch]\nurl = ['http://e1:9200', 'http://e1:9200']\n", ["elasticsearch.url", "stands twice"]),
    ],
)
def test_what_is_no_address_is_named_with_its_key(tmp_path: Path, text: str, words: list[str]) -> None:
    """The file, the key, and what is wrong with it; exit code 78."""
    with pytest.raises(Problem) as caught:
        loaded(tmp_path, text)

    assert caught.value.exit_code == ExitCode.CONFIG
    assert all(word in str(caught.value) for word in ["perflog.toml", *words]), str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://elastic:hunter2@e1:9200", "elastic:hunter2@e1:9200", "http://a:hunter2@e2:9200"]
)
def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    """URLs stand in messages and logs, so a password has a key of its own."""
    with pytest.raises(Problem) as caught:
        loaded(tmp_path, f"[elasticsearch]\nurl = 'http://e2:9200,{url},{url}'\n")

    assert caught.value.exit_code == ExitCode.CONFIG
    assert "`user` and `password`" in str(caught.value)
    assert "hunter2" not in str(caught.value)
