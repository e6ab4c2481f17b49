"""An error body is one line, whatever a proxy sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.edge.http.bodies import LINE_CHARACTERS, error_line
from tests.support.http_nodes import PAGE

NGINX = PAGE[2].decode()


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (502, NGINX, "502 Bad Gateway (a page of HTML)"),
        (503, "<!DOCTYPE html><html><body><h1>503 Service\nUnavailable</h1>x</body></html>",
         "503 Service Unavailable (a page of HTML)"),
        (504, "\n <!-- made by us -->\n<html><TITLE lang=en>The gateway &amp; all is &lt;out&gt;</TITLE></html>",
         "504 The gateway & all is <out> (a page of HTML)"),
        (502, "<html><body>nothing else</body></html>", "502 Bad Gateway (a page of HTML)"),
        (502, "<html><title>" + "x" * 500, "502 Bad Gateway (a page of HTML)"),
        (503, "upstream connect error\r\nor disconnect", "503 upstream connect error or disconnect"),
        (503, "", "503 Service Unavailable"),
        (599, " \n", "599 without a text"),
        (500, "a\x1b[31mred\x9b1m\u202etxet\x07", "500 a [31mred 1m txet"),
        (404, "<3 is no page", "404 <3 is no page"),
    ],
)  # fmt: skip
def test_what_an_error_body_says(status: int, body: str, line: str) -> None:
    """The title of a page, else the text, else the name of the status."""
    assert error_line(status, body) == line


@given(status=st.integers(400, 599), body=st.text(max_size=600), page=st.booleans())
def test_it_is_one_short_line(status: int, body: str, page: bool) -> None:
    """At most 200 characters, none of them a control character, whatever is in the body."""
    line = error_line(status, f"<html><title>{body}</title>" if page else body)

    assert len(line) <= LINE_CHARACTERS
    assert line.startswith(f"{status} ")
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in line)


def test_a_page_of_megabytes_is_looked_at_in_part() -> None:
    """Its title stands at its beginning; what follows costs nothing."""
    assert error_line(502, NGINX + "<p>" * 5_000_000) == "502 Bad Gateway (a page of HTML)"
    assert len(error_line(500, "<" * 5_000_000)) <= LINE_CHARACTERS
