"""Find the units that different tools told of one movement of bytes.

Units belong together when

    (b) Rucio's transfer id is FTS's job, and both URLs agree;
    (c) both URLs agree, and they took place at the same time;
    (d) one names a server and a path that are an end of the other, its client is the other end's host, and they took
        place at the same time.

(a), a task's id, is what makes a unit. Two units of the same source, level and observer are two movements, whatever
else agrees. Where a unit fits several that are themselves different movements, none is taken: it is `ambiguous`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ingest.core.movements.record import TransferEnd, TransferRecord
from ingest.core.movements.units import Unit, UnitKey, task_id
from ingest.core.sources.endpoint import bare_host, ip_of, name_of

MOST_CANDIDATES = 100


@dataclass(frozen=True, slots=True)
class UnitGroup:
    """The units of one movement, and the units that may belong to it as well as to another."""

    units: tuple[Unit, ...]
    ambiguous: tuple[UnitKey, ...] = ()


def matched(units: Sequence[Unit]) -> list[UnitGroup]:
    """Join units into movements. The result does not depend on their order.

    Units that fit each other without any doubt are joined; a unit that fits two units which cannot be one movement
    stays alone, and names both.
    """
    ordered = sorted(units, key=lambda unit: unit.key)
    fitting = _fitting(ordered)
    doubtful = {number: partners for number, partners in fitting.items() if _contradict([ordered[n] for n in partners])}
    parents = list(range(len(ordered)))
    for number, partners in fitting.items():
        for partner in partners:
            if number not in doubtful and partner not in doubtful:
                _unite(parents, number, partner)
    groups: dict[int, list[int]] = {}
    for number in range(len(ordered)):
        groups.setdefault(_root(parents, number), []).append(number)
    return [group for numbers in groups.values() for group in _groups(numbers, ordered, doubtful)]


def _groups(numbers: list[int], ordered: Sequence[Unit], doubtful: Mapping[int, set[int]]) -> Iterator[UnitGroup]:
    """The group of these units; apart if two of them cannot be one movement, for then a chain of matches was wrong."""
    whole = tuple(ordered[number] for number in numbers)
    if len(whole) > 1 and _contradict(whole):
        for unit in whole:
            yield UnitGroup((unit,), tuple(other.key for other in whole if other is not unit)[:MOST_CANDIDATES])
        return
    candidates = {ordered[other].key for number in numbers for other in doubtful.get(number, ())}
    yield UnitGroup(whole, tuple(sorted(candidates))[:MOST_CANDIDATES])


def _contradict(units: Sequence[Unit]) -> bool:
    """Whether two of the units cannot be one movement: they have source, level and observer in common."""
    seen: set[tuple[str, str | None, str | None]] = set()
    for unit in units:
        if seen & unit.sources:
            return True
        seen |= unit.sources
    return False


def _fitting(units: Sequence[Unit]) -> dict[int, set[int]]:
    """Number of a unit -> the units that it fits; only units that share a key are compared."""
    by_key: dict[tuple[str, ...], list[int]] = {}
    for number, unit in enumerate(units):
        for key in {key for record in unit.records for key in match_keys(record)}:
            by_key.setdefault(key, []).append(number)
    fitting: dict[int, set[int]] = {}
    for numbers in by_key.values():
        for place, first in enumerate(numbers):
            for second in numbers[place + 1 :]:
                if not units[first].sources & units[second].sources and _fit(units[first], units[second]):
                    fitting.setdefault(first, set()).add(second)
                    fitting.setdefault(second, set()).add(first)
    return fitting


def match_keys(record: TransferRecord) -> list[tuple[str, ...]]:
    """The keys of a record: two records that may be one movement have one in common."""
    keys: list[tuple[str, ...]] = []
    task = task_id(record)
    if task:
        keys.append(("task", task))
    if record.source_url and record.destination_url:
        keys.append(("urls", _normal_url(record.source_url), _normal_url(record.destination_url)))
    keys += (("server", host, path) for host, path in _server_paths(record))
    return keys


def _server_paths(record: TransferRecord) -> Iterator[tuple[str, str]]:
    """Host and path of each end that the record names with its path."""
    for url in (record.source_url, record.destination_url):
        if url:
            parts = urlsplit(url)
            host = ip_of(url) or name_of(bare_host(url))
            if host:
                yield host, _normal_path(parts.path)
    if record.path and not (record.source_url or record.destination_url):
        for end in (record.origin, record.target):
            for host in (end.domain, end.ip):
                if host:
                    yield host, _normal_path(record.path)


def _normal_url(url: str) -> str:
    parts = urlsplit(url)
    return f"{ip_of(url) or name_of(bare_host(url)) or parts.netloc}{_normal_path(parts.path)}"


def _normal_path(path: str) -> str:
    return "/" + path.lstrip("/")


def _fit(first: Unit, second: Unit) -> bool:
    return any(_is_same(one, other) for one in first.records for other in second.records)


def _is_same(one: TransferRecord, other: TransferRecord) -> bool:
    """Whether two records tell one movement, by (b), (c) or (d)."""
    if _same_urls(one, other):
        return _same_job(one, other) or _same_job(other, one) or one.overlaps(other)
    return one.overlaps(other) and (_is_end_of(one, other) or _is_end_of(other, one))


def _same_urls(one: TransferRecord, other: TransferRecord) -> bool:
    pairs = [
        (_normal_url(record.source_url), _normal_url(record.destination_url))
        for record in (one, other)
        if record.source_url and record.destination_url
    ]
    return len(pairs) == 2 and pairs[0] == pairs[1]


def _same_job(one: TransferRecord, other: TransferRecord) -> bool:
    return one.external_id is not None and one.external_id == other.parent_id


def _is_end_of(one: TransferRecord, other: TransferRecord) -> bool:
    """Whether the server that tells `one` is an end of `other`, with its path, and its client the other end."""
    if not one.path or one.source_url or not (other.source_url and other.destination_url):
        return False
    for url, client in ((other.source_url, other.target), (other.destination_url, other.origin)):
        server = _end_of_url(url)
        if _normal_path(urlsplit(url).path) != _normal_path(one.path):
            continue
        if any(
            own.may_be(server) and peer.is_known and peer.may_be(client)
            for own, peer in ((one.origin, one.target), (one.target, one.origin))
        ):
            return True
    return False


def _end_of_url(url: str) -> TransferEnd:
    return TransferEnd(name_of(bare_host(url)), ip_of(url))


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number


def _unite(parents: list[int], first: int, second: int) -> None:
    low, high = sorted((_root(parents, first), _root(parents, second)))
    parents[high] = low
