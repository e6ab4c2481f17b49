"""The importer against a server that answers as Kibana was seen to: every refusal becomes words and a code."""

import base64
from pathlib import Path
from typing import Any

import pytest

from ingest.core.dashboards.saved_objects import SavedObject, reference, saved_object
from ingest.core.model import Problem
from ingest.edge.kibana.client import Access, Kibana
from tests.support.http_nodes import PAGE, http_node, make_authority, make_certificate
from tests.support.kibana_server import FakeKibana, serving

VIEW = saved_object("index-pattern", "marks", "", {"title": "perf-marks-*", "name": "perflog marks\u2028"}, ())
BOARD = saved_object("dashboard", "b", "", {"title": "B"}, [reference("c:dataView", "index-pattern", "marks")])
OBJECTS: list[SavedObject] = [VIEW, BOARD]
IMPORT = "/api/saved_objects/_import"
EXPORT = "/api/saved_objects/_export"


def _put(kibana: FakeKibana, **access: Any) -> int:
    with serving(kibana):
        client = Kibana(Access(kibana.url, **access))
        return client.put(OBJECTS, client.wait(limit_s=5))


def _refused(kibana: FakeKibana, **access: Any) -> Problem:
    with pytest.raises(Problem) as refused:
        _put(kibana, **access)
    return refused.value


def _wait(kibana: FakeKibana, limit_s: float = 0) -> tuple[int, ...] | None:
    with serving(kibana):
        return Kibana(Access(f"{kibana.url}/")).wait(limit_s, pause=lambda _: None)


@pytest.mark.parametrize("version", ["8.9.0", "8.12.2", "9.3.1", "9.4.0", None])
def test_all_objects_are_imported_and_read_back(version: str | None) -> None:
    """It works from 8.9 on, and where Kibana does not show its version."""
    kibana = FakeKibana(version=version)

    assert _put(kibana) == 2
    assert {key[0]: item["references"] for key, item in kibana.stored.items()} == {
        "index-pattern": [],
        "dashboard": BOARD["references"],
    }


def test_an_existing_object_is_replaced() -> None:
    """The same import twice is no conflict."""
    kibana = FakeKibana()

    assert (_put(kibana), _put(kibana)) == (2, 2)


def test_the_answer_is_not_believed() -> None:
    """The import is followed by an export of the very same objects."""
    kibana = FakeKibana()
    _put(kibana)

    assert kibana.requests == ["GET /api/status", f"POST {IMPORT}?overwrite=true", f"POST {EXPORT}"]


def test_an_object_that_was_not_stored_is_named() -> None:
    """Kibana reports success, but did not store the object."""
    problem = _refused(FakeKibana(forget={BOARD["id"]}))

    assert "dashboard `B` is not there" in problem.message
    assert problem.exit_code == 65


def test_lost_references_are_named() -> None:
    """A board without its references would draw nothing."""
    assert "dashboard `B` has 0 references instead of 1" in _refused(FakeKibana(drop_references=True)).message


def test_dropped_panels_are_an_error_from_9_4_on() -> None:
    """The dashboards API reports panels that the import drops silently; older versions have no such API."""
    warnings = [{"type": "dropped_panel", "message": "Lens chart type is not supported"}]

    assert _put(FakeKibana(version="9.3.9", warnings=warnings)) == 2
    problem = _refused(FakeKibana(version="9.4.0", warnings=warnings))
    assert "drops 1 panels of dashboard `B`: Lens chart type is not supported" in problem.message
    assert problem.exit_code == 65


def _import_errors(*errors: dict[str, Any]) -> FakeKibana:
    return FakeKibana(instead={IMPORT: (200, {"success": False, "successCount": 1, "errors": list(errors)})})


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"type": "unsupported_type"}, "dashboard `B`: this Kibana does not know the type"),
        ({"type": "conflict"}, "dashboard `B`: an object of that id is there already"),
        (
            {"type": "missing_references", "references": [{"type": "index-pattern", "id": "x"}]},
            "dashboard `B`: it refers to objects that are not there: index-pattern x",
        ),
        (
            {"type": "unknown", "output": {"payload": {"message": "[attributes.sections]: key is missing"}}},
            "dashboard `B`: [attributes.sections]: key is missing",
        ),
        ({"type": "brand_new"}, 'dashboard `B`: {"type": "brand_new"}'),
    ],
)  # fmt: skip
def test_a_200_without_success_is_an_error_in_words(error: dict[str, Any], reason: str) -> None:
    """HTTP 200 with success:false is how Kibana refuses; each object is called by its name."""
    problem = _refused(_import_errors({"type": "dashboard", "id": BOARD["id"], "error": error}))

    assert problem.message == f"Kibana refused 1 of 2 objects: {reason}."
    assert problem.exit_code == 65


def test_a_success_that_is_false_without_errors_is_an_error() -> None:
    """Whatever the answer leaves out, false is not success."""
    assert "it does not say why" in _refused(_import_errors()).message


def test_a_file_that_is_too_new_names_the_type_and_the_kibana() -> None:
    """One object of a newer type makes the server refuse all of them."""
    message = (
        f'Document "{BOARD["id"]}" belongs to a more recent version of Kibana [8.9.0] when the last known version'
        " is [8.7.0]."
    )
    answer = (422, {"statusCode": 422, "error": "Unprocessable Entity", "message": message})
    problem = _refused(FakeKibana(version=None, instead={IMPORT: answer}))

    assert "dashboard `B` is written in format 8.9.0, this Kibana knows dashboard up to 8.7.0" in problem.message
    assert problem.remedy == "The boards need Kibana 8.9 or newer."


@pytest.mark.parametrize("version", ["7.10.2", "8.8.2"])
def test_an_old_kibana_is_refused_before_anything_is_sent(version: str) -> None:
    """The refusal names both versions."""
    kibana = FakeKibana(version=version)
    problem = _refused(kibana)

    assert f"is {version}: too old" in problem.message
    assert problem.remedy == "They need 8.9 or newer."
    assert kibana.requests == ["GET /api/status"]


def test_a_kibana_that_is_starting_is_waited_for() -> None:
    """503 and plain text first, then the answer."""
    kibana = FakeKibana(unready=3)

    assert _wait(kibana, limit_s=30) == (8, 12, 2)
    assert len(kibana.requests) == 4


def test_a_degraded_kibana_is_used() -> None:
    """One plug-in in trouble is no reason not to import."""
    assert _wait(FakeKibana(level="degraded")) == (8, 12, 2)


@pytest.mark.parametrize(
    ("kibana", "sentence"),
    [
        (FakeKibana(unready=99), "is not available after 0 s: HTTP 503, Kibana server is not ready yet."),
        (FakeKibana(level="critical"), "is not available after 0 s: critical."),
        (FakeKibana(instead={"/api/status": (200, ["x"])}), "is not available after 0 s: HTTP 200"),
    ],
)
def test_waiting_ends(kibana: FakeKibana, sentence: str) -> None:
    """Waiting ends at the limit, with the last answer of Kibana."""
    with pytest.raises(Problem) as refused:
        _wait(kibana)

    assert sentence in refused.value.message
    assert refused.value.exit_code == 69


@pytest.mark.parametrize(
    ("status", "sentence", "remedy"),
    [
        (401, "answers 401: told", "--api-key"),
        (403, "answers 403: told", "Saved Objects Management"),
        (404, "answers 404: told", "base path"),
        (302, "answers 302: it redirects to /base/api/status", "base path"),
    ],
)
def test_a_denial_names_the_remedy(status: int, sentence: str, remedy: str) -> None:
    """At once, not after the time for waiting; the same before and during the import."""
    for path in ("/api/status", IMPORT):
        problem = _refused(FakeKibana(instead={path: (status, {"message": "told."})}))
        assert sentence in problem.message
        assert remedy in problem.remedy
        assert problem.exit_code == 69


def test_an_answer_that_is_no_json_is_no_traceback() -> None:
    """Some other server listens there."""
    assert "is not Kibana" in _refused(FakeKibana(instead={IMPORT: (200, b"<html>")})).message


def test_an_export_that_fails_is_an_error() -> None:
    """Kibana answers 400 when it cannot fetch what it just imported."""
    problem = _refused(FakeKibana(instead={EXPORT: (400, {"message": "Error fetching objects to export"})}))

    assert "answers 400: Error fetching objects to export." in problem.message
    assert problem.exit_code == 65


def test_a_space_must_exist() -> None:
    """Kibana imports into a space that does not exist without a word; nobody would ever find the board there."""
    problem = _refused(FakeKibana(), space="als")
    assert "has no space `als`" in problem.message

    assert _put(FakeKibana(spaces={"als"}), space="als") == 2


def test_the_credentials_go_with_every_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A key, or a user and password; never what happens to stand in ~/.netrc."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    basic = "Basic " + base64.b64encode(b"u:p").decode()

    for access, expected in (({"api_key": "a2V5"}, "ApiKey a2V5"), ({"user": "u", "password": "p"}, basic), ({}, None)):
        kibana = FakeKibana()
        _put(kibana, **access)
        assert set(kibana.authorization) == {expected}


def test_an_unreachable_kibana_is_one_sentence() -> None:
    """It names the address and the remedy."""
    with serving(FakeKibana()) as kibana:
        gone = kibana.url
    with pytest.raises(Problem) as refused:
        Kibana(Access(gone)).wait(0)

    assert refused.value.message == f"Kibana at {gone} is not available after 0 s: nobody answers there."
    assert "Check --kibana" in refused.value.remedy


def test_a_kibana_that_goes_away_is_one_sentence() -> None:
    """Kibana goes away between the status and the import."""
    with serving(FakeKibana()) as kibana:
        client = Kibana(Access(kibana.url))
        client.wait(0)
    with pytest.raises(Problem) as refused:
        client.put(OBJECTS)

    assert "cannot be reached: " in refused.value.message
    assert "refused" in refused.value.message
    assert refused.value.exit_code == 69


@pytest.mark.parametrize("url", ["kibana", "ftp://127.0.0.1", "http://127.0.0.1:x", ""])
def test_an_address_that_is_none_is_a_usage_error(url: str) -> None:
    """64, and how it is written."""
    with pytest.raises(Problem) as refused:
        Kibana(Access(url)).wait(0)

    assert refused.value.exit_code == 64
    assert "is no address of a Kibana" in refused.value.message


def test_a_proxys_page_is_one_line() -> None:
    """Before Kibana stands a proxy that has lost it: its status and title, no HTML, while waiting and afterwards."""
    with http_node(reply=lambda method, path: PAGE) as proxy:
        kibana = Kibana(Access(proxy.address, space="als"))
        with pytest.raises(Problem) as waited:
            kibana.wait(0, pause=lambda _: None)
        with pytest.raises(Problem) as refused:
            kibana.put(OBJECTS)

    assert waited.value.message.endswith("not available after 0 s: HTTP 502, Bad Gateway (a page of HTML).")
    assert refused.value.message == f"Kibana at {proxy.address} answers 502: Bad Gateway (a page of HTML)."


def test_a_fault_of_tls_is_named(tmp_path: Path) -> None:
    """An authority that nobody named here, and https to a port without TLS: each with its own remedy."""
    certificate = make_certificate(make_authority(tmp_path, "ca"), "kibana", 2, "IP:127.0.0.1")
    with http_node(certificate) as secure, http_node() as plain:
        problems = []
        for address in (secure.address, plain.address.replace("http:", "https:")):
            with pytest.raises(Problem) as caught:
                Kibana(Access(address)).wait(0)
            problems.append(caught.value)

    assert "signed by nobody that is trusted here" in problems[0].message
    assert "--ca-cert" in problems[0].remedy
    assert "it speaks no TLS at this port" in problems[1].message
    assert "http://" in problems[1].remedy


def test_the_ca_that_is_named_counts_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator's REQUESTS_CA_BUNDLE is for other servers than the one whose CA is given here."""
    authority = make_authority(tmp_path, "ca")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(make_authority(tmp_path, "other")))
    certificate = make_certificate(authority, "kibana", 2, "IP:127.0.0.1")
    status = b'{"status": {"overall": {"level": "available"}}, "version": {"number": "8.12.2"}}'
    with http_node(certificate, reply=lambda method, path: (200, "application/json", status)) as kibana:
        assert Kibana(Access(kibana.address, ca_file=str(authority))).wait(0) == (8, 12, 2)
