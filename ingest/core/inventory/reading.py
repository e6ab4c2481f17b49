"""Read a file of hosts or of a mesh, whatever its format; of a mesh with includes, the whole."""

from collections.abc import Callable
from typing import Any

import orjson

from ingest.core.inventory import mesh, psconfig
from ingest.core.inventory.expected import Description
from ingest.core.inventory.host import inventory_of
from ingest.core.inventory.table import read_table
from ingest.core.model import ExitCode, Problem

MOST_INCLUDES = 50
Fetch = Callable[[str], bytes]


def read_description(data: bytes, name: str, fetch: Fetch) -> Description:
    """Read hosts and expected tests; `fetch` reads a URL that an include names, and no other.

    `Problem` (65) if the format is none of pSConfig, old mesh and a tab-separated table.
    """
    text = data.decode("utf-8-sig", "replace")
    if not text.lstrip().startswith(("{", "[")):
        return read_table(text, name)
    tree = _tree(data, name)
    trees, unread = _with_includes(tree, name, fetch)
    if psconfig.is_template(tree):
        description = psconfig.read_template(psconfig.merged(filter(psconfig.is_template, trees)))
    elif mesh.is_mesh(tree):
        description = _joined([mesh.read_mesh(included) for included in trees if mesh.is_mesh(included)])
    else:
        raise Problem(
            f"{name} is JSON, but neither a pSConfig template nor a mesh.",
            "A template has `addresses`, an old mesh has `organizations`.",
            ExitCode.BAD_DATA,
        )
    for warning in unread:
        description.warn(warning)
    return description


def _tree(data: bytes, name: str) -> Any:
    try:
        return orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        where = f"{name}, line {error.lineno}, column {error.colno}"
        raise Problem(f"{where}: not JSON: {error.msg}.", "", ExitCode.BAD_DATA) from error


def _with_includes(tree: Any, name: str, fetch: Fetch) -> tuple[list[Any], list[str]]:
    """The tree and all that it includes, itself first, each URL once; and what could not be read, in words."""
    trees, unread, seen = [tree], [], {name}
    pending = _includes(tree)
    while pending:
        url = pending.pop(0)
        if url in seen:
            continue
        seen.add(url)
        if len(trees) > MOST_INCLUDES:
            unread.append(f"more than {MOST_INCLUDES} includes: the rest is left out")
            break
        try:
            included = _tree(fetch(url), url)
        except Problem as problem:
            unread.append(f"the include {url[:200]} is left out: {problem.message}")
            continue
        trees.append(included)
        pending += _includes(included)
    return trees, unread


def _includes(tree: Any) -> list[str]:
    listed = tree.get("includes") if isinstance(tree, dict) else None
    urls = [url for url in listed if isinstance(url, str)] if isinstance(listed, list) else []
    return urls + (mesh.includes_of(tree) if isinstance(tree, dict) else [])


def _joined(descriptions: list[Description]) -> Description:
    whole = Description()
    for description in descriptions:
        whole.tests += description.tests
        for warning in description.warnings:
            whole.warn(warning)
    whole.hosts = inventory_of(host for description in descriptions for host in description.hosts).hosts
    return whole
