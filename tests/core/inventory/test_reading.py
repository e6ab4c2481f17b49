"""A file of hosts or of a mesh, told by its content; includes are read, once each, and nothing else is."""

import json
from typing import Any

import pytest

from ingest.core.inventory.reading import MOST_INCLUDES, read_description
from ingest.core.model import ExitCode, Problem

URL = "https://mesh.example/b.json"


def template(name: str, *includes: str) -> dict[str, Any]:
    """A template of one host that includes others."""
    return {"addresses": {name: {"address": f"{name}.example"}}, "includes": list(includes)}


class Served:
    """Documents by address; remembers which were read."""

    def __init__(self, **trees: Any) -> None:
        """Serve each tree at `https://mesh.example/NAME.json`."""
        self.bodies = {f"https://mesh.example/{name}.json": json.dumps(tree).encode() for name, tree in trees.items()}
        self.read: list[str] = []

    def fetch(self, url: str) -> bytes:
        """The document at an address."""
        self.read.append(url)
        if url not in self.bodies:
            raise Problem(f"{url} answers with 404.", "", ExitCode.UNAVAILABLE)
        return self.bodies[url]


def names(data: bytes, served: Served) -> list[str]:
    """The names of the hosts that are read."""
    return [host.name for host in read_description(data, "a.json", served.fetch).hosts]


def test_the_format_is_told_by_the_content() -> None:
    """A template, an old mesh, a table; with a byte order mark too."""
    mesh = {"organizations": [], "hosts": [{"addresses": ["m.example"]}]}
    for data in (json.dumps(template("t")), json.dumps(mesh), "host\tsite\nt.example\tS\n"):
        assert len(names(b"\xef\xbb\xbf" + data.encode(), Served())) == 1


def test_includes_are_read_once_each_and_no_other_address_is() -> None:
    """Through several levels, in a circle; an address elsewhere in a template is not fetched."""
    served = Served(b=template("b", "https://mesh.example/c.json"), c=template("c", URL))
    tree = {**template("a", URL), "_meta": {"url": "https://elsewhere.example/x.json"}}

    assert names(json.dumps(tree).encode(), served) == ["a.example", "b.example", "c.example"]
    assert served.read == [URL, "https://mesh.example/c.json"]


def test_an_include_that_does_not_answer_is_told_and_the_rest_is_read() -> None:
    """As pSConfig's own agents do."""
    description = read_description(json.dumps(template("a", URL)).encode(), "a.json", Served().fetch)

    assert [host.name for host in description.hosts] == ["a.example"]
    assert description.warnings == [f"the include {URL} is left out: {URL} answers with 404."]


def test_includes_without_end_are_bounded() -> None:
    """Each includes the next: after fifty the rest is left out, and that is told."""
    trees = {f"n{n}": template(f"n{n}", f"https://mesh.example/n{n + 1}.json") for n in range(3 * MOST_INCLUDES)}
    served = Served(**trees)
    description = read_description(json.dumps(trees["n0"]).encode(), "a.json", served.fetch)

    assert len(served.read) == MOST_INCLUDES
    assert any("the rest is left out" in warning for warning in description.warnings)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"addresses": ', "a.json, line 1, column"),
        (b'{"a": 1}', "a.json is JSON, but neither"),
        (b"[1]", "a.json is JSON"),
    ],
)
def test_what_is_no_mesh_is_refused_with_its_place(data: bytes, message: str) -> None:
    """Bad data: 65."""
    with pytest.raises(Problem) as problem:
        read_description(data, "a.json", Served().fetch)

    assert problem.value.message.startswith(message)
    assert problem.value.exit_code == ExitCode.BAD_DATA
