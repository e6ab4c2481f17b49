"""Baselines for `perflog bench index`: the same work done without perflog. Uses Kafka and Elasticsearch.

    load           bulk bodies prepared in advance, over so many connections: the upper limit
    bare_loop      poll, one regular expression, orjson, bulk: no guarantees, checks only that no item failed
    an_afternoon   plain Lark, dictionaries, helpers.bulk: what one writes in an afternoon

Each writes documents as large as perflog's, with ids derived from the line.
"""

import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

import orjson
from elasticsearch import Elasticsearch as Client
from elasticsearch.helpers import bulk
from kafka import KafkaConsumer, TopicPartition

from ingest.config.settings import Kafka
from ingest.core.ids import parse_index
from ingest.core.timestamps import iso
from ingest.edge.kafka.client import client_configuration

BARE = re.compile(
    rb"(\w{3}) (\w{3}) +(\d+) (\d+:\d+:\d+) (\w+) (\d{4}): ([^:]+):(\d+):([^:]*): ?PERF:([^:]+):([A-Z_]+)=(\d+)"
)
FETCH_BYTES = 5 * 1024 * 1024
POLLED = 2000
SEEN = re.compile(rb',"if_seq_no":\d+,"if_primary_term":\d+')
CREATE = re.compile(rb'\{"create":(\{"_index":"([^"]+)")')
SWAPPED = frozenset({"runstate", "writers"})
AFTERNOON = "bench-afternoon"


def load(client: Client, bodies: Sequence[bytes], connections: int) -> float:
    """Send every body, `connections` at a time; returns seconds. AssertionError if an item was rejected."""
    return _loaded(bodies, connections, lambda body: _send(client, body))


def load_again(client: Client, bodies: Sequence[bytes], connections: int) -> float:
    """Like `load`, for bodies whose items may overtake one another: a lower version then gets a 409."""
    return _loaded(bodies, connections, lambda body: client.bulk(operations=body, filter_path="errors"))  # type: ignore[arg-type]


def _loaded(bodies: Sequence[bytes], connections: int, send: Callable[[bytes], object]) -> float:
    began_s = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(send, bodies))
    return time.perf_counter() - began_s


@contextmanager
def recorded_bodies() -> Iterator[list[bytes]]:
    """Record the body of every bulk request that this process sends meanwhile, to send it again without perflog."""
    bodies: list[bytes] = []
    send = Client.bulk

    def record(connected: Client, *, operations: bytes, filter_path: str) -> Any:
        bodies.append(operations)
        return send(connected, operations=operations, filter_path=filter_path)  # type: ignore[arg-type]

    Client.bulk = record  # type: ignore[assignment,method-assign]
    try:
        yield bodies
    finally:
        Client.bulk = send  # type: ignore[method-assign]


def unconditional(bodies: Iterable[bytes]) -> list[bytes]:
    """Return the bodies without the conditions that only the first run can meet (create, if_seq_no)."""
    return [CREATE.sub(_unconditional, SEEN.sub(b"", body)) for body in bodies]


def _unconditional(create: re.Match[bytes]) -> bytes:
    return b'{"index":' + create[1] if parse_index(create[2].decode()).kind in SWAPPED else create[0]


def _send(client: Client, body: bytes) -> None:
    answer = client.bulk(operations=body, filter_path="errors,items.*.status")  # type: ignore[arg-type]
    assert not answer.body["errors"], "an item was refused"  # noqa: S101 - a yardstick that measures nothing is none


def records(kafka: Kafka, topic: str) -> Iterator[list[Any]]:
    """Yield all records of a topic, one poll at a time, as kafka-python returns them with large fetches."""
    consumer = KafkaConsumer(
        **client_configuration(kafka),
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_bytes=4 * FETCH_BYTES,
        max_poll_records=POLLED,
    )
    try:
        every = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(every)
        consumer.seek_to_beginning(*every)
        left = sum(consumer.end_offsets(every).values())
        while left > 0:
            polled = [record for batch in consumer.poll(1000).values() for record in batch]
            left -= len(polled)
            yield polled
    finally:
        consumer.close()


def bare_loop(client: Client, polls: Iterable[list[Any]], index: str, connections: int) -> int:
    """Poll, match, encode and send, with `connections` requests in flight; returns the number of lines sent."""
    lines = 0
    with ThreadPoolExecutor(connections) as pool:
        under_way: list[Future[None]] = []
        for polled in polls:
            body = b"".join([part for record in polled for part in _document(record, index)])
            lines += len(polled)
            if len(under_way) > connections:
                under_way.pop(0).result()
            if body:
                under_way.append(pool.submit(_send, client, body))
        for future in under_way:
            future.result()
    return lines


def _document(record: Any, index: str) -> tuple[bytes, bytes]:
    match = BARE.match(record.value)
    assert match is not None  # noqa: S101
    groups = [group.decode() for group in match.groups()]
    doc_id = b64encode(blake2b(record.value, digest_size=16).digest(), b"-_").decode()[:22]
    head = {"index": {"_index": index, "_id": doc_id, "version": 2, "version_type": "external"}}
    headers = dict(record.headers)
    body = {
        "event": {
            "original": record.value.decode(),
            "created": iso(record.timestamp),
            "ingested": iso(record.timestamp),
            "timezone": groups[4],
        },
        "host": {"name": headers["perflog.host"].decode()},
        "log": {
            "file": {"path": headers["perflog.path"].decode()},
            "offset": int(headers["perflog.offset"]),
            "origin": {"file": {"name": groups[6], "line": int(groups[7])}},
        },
        "provenance": {"kafka": f"{record.topic}/{record.partition}/{record.offset}"},
        "perf": {
            "facility": "bench",
            "source": "als_perf",
            "workflow": "als-tomography",
            "run": {"id": groups[8]},
            "stage": {"name": groups[9], "family": "GAL", "product": "render", "variant": "gridrec"},
            "mark": {"key": groups[10], "role": "start", "emit_lag_s": 1, "logged": iso(int(groups[11]) * 1000)},
        },
        "@timestamp": iso(int(groups[11]) * 1000),
    }
    return orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE), orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)


def an_afternoon(client: Client, lines: Iterable[str], parse: Callable[[str], Any]) -> float:
    """Parse line by line into dictionaries and send them with `helpers.bulk` and dynamic mappings; returns seconds."""
    client.indices.delete(index=AFTERNOON, ignore_unavailable=True)
    client.indices.create(index=AFTERNOON)
    began_s = time.perf_counter()
    bulk(client, ({"_index": AFTERNOON, "message": line, **parse(line).values} for line in lines))
    took_s = time.perf_counter() - began_s
    client.indices.delete(index=AFTERNOON)
    return took_s
