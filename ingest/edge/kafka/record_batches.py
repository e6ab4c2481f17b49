"""Decodes record batches like kafka-python, several times as fast.

kafka-python decodes a record with some thirty calls, which costs more than everything else a worker does with it. Here
one loop decodes a whole batch, and headers equal to those of the previous record are not decoded again. Fetching,
transactions and checksums stay with kafka-python: `install` replaces only its innermost loop, by an attribute of one
consumer. internals.py lists the private parts that this needs. Tests compare both decoders on batches of the real
broker.
"""

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from kafka.errors import CorruptRecordError

from ingest.core.bulk import new_tuple
from ingest.core.kafka_record import ConsumerRecord, Header, Partition

MAGIC = 2  # the only format since Kafka 0.11; current brokers serve no other
APPEND_TIME = 1
PLAIN = frozenset(range(0, 128, 2))  # first bytes of the varints 0 to 63
NO_HEADERS_YET = b"\x01"  # a count of -1, which no record has


def install(consumer: Any) -> None:
    """Install this decoder in a KafkaConsumer whose internals were checked."""
    fetcher = consumer._fetcher
    fetcher.PartitionRecords = type("PartitionRecords", (_BatchDecoder, fetcher.PartitionRecords), {})


class _BatchDecoder:
    """Makes a fetcher's `PartitionRecords` yield perflog's `ConsumerRecord` instead of kafka-python's."""

    if TYPE_CHECKING:  # of kafka-python's PartitionRecords
        aborted_producer_ids: set[int]
        bytes_read: int
        check_crcs: bool
        drain: Callable[[], None]
        leader_epoch: int
        next_fetch_offset: int
        records_read: int
        _consume_aborted_transactions_up_to: Callable[[int], None]
        _contains_abort_marker: Callable[[Any], bool]
        _is_batch_aborted: Callable[[Any], bool]

    def _unpack_records(self, tp: Any, records: Any, *_: Any) -> Iterator[ConsumerRecord]:
        partition = Partition(*tp)
        last = None
        while (batch := records.next_batch()) is not None:
            last = batch
            if self.check_crcs and not batch.validate_crc():
                raise CorruptRecordError(f"Record batch of {tp} at offset {batch.base_offset} failed its checksum")
            if batch.magic == MAGIC:
                self.leader_epoch = batch.leader_epoch
            if self._to_be_skipped(batch):
                self.next_fetch_offset = batch.next_offset
                continue
            self.bytes_read += batch.size_in_bytes
            for record in decode_batch(batch, partition) if batch.magic == MAGIC else _decode_slowly(batch, partition):
                self.records_read += 1
                self.next_fetch_offset = record.offset + 1
                yield record
        if last is not None and last.magic == MAGIC:
            self.next_fetch_offset = last.next_offset
        self.drain()

    def _to_be_skipped(self, batch: Any) -> bool:
        """Whether a batch holds no records for readers: transaction markers and records of aborted transactions."""
        if batch.magic != MAGIC:
            return False
        if batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)


def _decode_slowly(batch: Any, partition: Partition) -> Iterator[ConsumerRecord]:
    return (to_consumer_record(record, partition) for record in batch)


def to_consumer_record(record: Any, partition: Partition) -> ConsumerRecord:
    """Convert a record that kafka-python decoded."""
    head = tuple((name, value or b"") for name, value in record.headers or ())
    return ConsumerRecord(partition, record.offset, record.timestamp, record.key, record.value, head)


def decode_batch(batch: Any, partition: Partition) -> list[ConsumerRecord]:
    """Decode all records of a batch of format 2; CorruptRecordError if its lengths are inconsistent."""
    iter(batch)  # decompresses the batch
    try:
        return _records(bytes(batch._buffer), batch._pos, batch, partition)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise CorruptRecordError(f"Batch of {partition} at offset {batch.base_offset}: {error!r}") from error


def _records(data: bytes, at: int, batch: Any, partition: Partition) -> list[ConsumerRecord]:
    """Decode in one loop; one-byte numbers are read inline, since a call for each would double the cost."""
    base_offset, new = batch.base_offset, new_tuple
    append_ms = batch.max_timestamp if batch.timestamp_type == APPEND_TIME else None
    first_ms = batch.first_timestamp
    records: list[ConsumerRecord] = []
    # From the previous record: `same`, its raw header bytes up to the last value; `name`, the last header's name;
    # `head`, the headers before the last.
    same, name = NO_HEADERS_YET, ""
    head: tuple[Header, ...] = ()
    for _ in range(batch.records_count):
        size, at = _number(data, at)
        end = at + size
        at += 1  # attributes, which are unused
        after_ms, at = (data[at] >> 1, at + 1) if data[at] in PLAIN else _number(data, at)
        after, at = (data[at] >> 1, at + 1) if data[at] in PLAIN else _number(data, at)
        size, at = (data[at] >> 1, at + 1) if data[at] in PLAIN else _number(data, at)
        key = None
        if size >= 0:
            key, at = data[at : at + size], at + size
        size, at = _number(data, at)
        value = None
        if size >= 0:
            value, at = data[at : at + size], at + size
        tail: Header | None = None
        if data.startswith(same, at):
            last, at = _bytes(data, at + len(same))
            tail = (name, last or b"")
        elif data[at]:
            start = at
            head, name, last, to_value, at = _headers(data, at)
            same, tail = data[start:to_value], (name, last or b"")
        else:
            same, head, at = NO_HEADERS_YET, (), at + 1
        if at != end:
            raise CorruptRecordError(f"Record of {partition} at offset {base_offset + after} is not as long as it says")
        time_ms = first_ms + after_ms if append_ms is None else append_ms
        records.append(new(ConsumerRecord, (partition, base_offset + after, time_ms, key, value, head, tail)))
    if at != len(data):
        raise CorruptRecordError(f"Batch of {partition} at offset {base_offset} goes on behind its last record")
    return records


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return the zigzag varint at `at`, and where it ends."""
    byte = data[at]
    raw, shift = byte & 127, 7
    while byte & 128:
        at += 1
        byte = data[at]
        raw |= (byte & 127) << shift
        shift += 7
    return (raw >> 1) ^ -(raw & 1), at + 1


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    """Return length-prefixed bytes (None for length -1), and where they end."""
    size, at = _number(data, at)
    return (None, at) if size < 0 else (data[at : at + size], at + size)


def _headers(data: bytes, at: int) -> tuple[tuple[Header, ...], str, bytes | None, int, int]:
    """Return all headers but the last, its name, its value, where that begins (at its length) and where it ends."""
    count, at = _number(data, at)
    head: list[Header] = []
    while True:
        size, at = _number(data, at)
        if count < 1 or size < 0:
            raise CorruptRecordError("A record has a negative number of headers, or a header without a name")
        name, at = data[at : at + size].decode(), at + size
        to_value = at
        value, at = _bytes(data, at)
        count -= 1
        if not count:
            return tuple(head), name, value, to_value, at
        head.append((name, value or b""))
