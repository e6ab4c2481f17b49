"""Describes the body of an error response in one line: a proxy before a server answers with a page of HTML."""

import html
import re
from http import HTTPStatus

LINE_CHARACTERS = 200
_IS_PAGE = " (a page of HTML)"
_WORDS_CHARACTERS = LINE_CHARACTERS - len("503 ") - len(_IS_PAGE)
_READ_CHARACTERS = 64 * 1024  # of a page: its title stands at its beginning
_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL)
_PAGE = re.compile(r"\s*(<!--.*?-->\s*)*<(!doctype|html|head|body|title|h1)\b", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd]+")


def one_line(text: str, most_characters: int = LINE_CHARACTERS) -> str:
    """Return a text in one line of at most so many characters, without control characters."""
    line = _UNPRINTABLE.sub(" ", text).strip()
    return line if len(line) <= most_characters else f"{line[: most_characters - 1]}…"


def error_line(status: int, body: str) -> str:
    """Return the status of a response and what its body says, in one line."""
    return f"{status} {error_words(status, body)}"


def error_words(status: int, body: str) -> str:
    """Return what an error body says, in one line: the title of a page, else its text, else the name of the status."""
    start = body[:_READ_CHARACTERS]
    is_page = _PAGE.match(start) is not None
    title = _TITLE.search(start) if is_page else None
    text = html.unescape(_TAG.sub(" ", title[2])) if title else "" if is_page else start
    words = one_line(one_line(text).removeprefix(str(status)), _WORDS_CHARACTERS).strip(" :-") or _name(status)
    return words + _IS_PAGE * is_page


def _name(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "without a text"
