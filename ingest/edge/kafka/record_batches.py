"""Record batches to records: kafka-python's own way, several times as fast. Touches nothing: bytes in, records out.

kafka-python decodes a record by some thirty calls, more than all else that a worker does with it; here a batch is
decoded in one loop, and headers that the record before had too are not decoded again. What has to do with fetching,
transactions and checksums stays kafka-python's: this only takes the place of its innermost loop, by an attribute of
the one consumer that asks for it (`install`). Tests hold the two against each other on the real broker's batches.
"""

import struct
from collections.abc import Iterator
from typing import Any

from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError

from ingest.core.kafka_record import ConsumerRecord, Header, Partition

MAGIC = 2  # the only format since Kafka 0.11; brokers of today serve no other
APPEND_TIME = 1
PLAIN = frozenset(range(0, 128, 2))  # first bytes of numbers from 0 to 63
NO_HEADERS_YET = b"\x01"  # a count of -1, which no record has


def install(consumer: Any) -> bool:
    """Let a KafkaConsumer decode this way; False, and nothing done, where kafka-python is not built as expected."""
    fetcher = getattr(consumer, "_fetcher", None)
    if fetcher is None or not hasattr(fetcher, "PartitionRecords"):
        return False
    fetcher.PartitionRecords = _Records
    return True


class _Records(Fetcher.PartitionRecords):  # type: ignore[misc]  # kafka-python is untyped
    """Yields `ConsumerRecord` instead of ConsumerRecord."""

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
            for record in decoded(batch, partition) if batch.magic == MAGIC else _slowly(batch, partition):
                self.records_read += 1
                self.next_fetch_offset = record.offset + 1
                yield record
        if last is not None and last.magic == MAGIC:
            self.next_fetch_offset = last.next_offset
        self.drain()

    def _to_be_skipped(self, batch: Any) -> bool:
        """Whether it holds no records for readers: markers of transactions, and what an aborted one left behind."""
        if batch.magic != MAGIC:
            return False
        if batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)


def _slowly(batch: Any, partition: Partition) -> Iterator[ConsumerRecord]:
    return (received(record, partition) for record in batch)


def received(record: Any, partition: Partition) -> ConsumerRecord:
    """What kafka-python's own way of decoding gives, in our words."""
    head = tuple((name, value or b"") for name, value in record.headers or ())
    return ConsumerRecord(partition, record.offset, record.timestamp, record.key, record.value, head)


def decoded(batch: Any, partition: Partition) -> list[ConsumerRecord]:
    """All records of a batch of format 2; CorruptRecordError when they are not laid out as they say."""
    iter(batch)  # takes the compression off
    try:
        return _records(bytes(batch._buffer), batch._pos, batch, partition)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise CorruptRecordError(f"Batch of {partition} at offset {batch.base_offset}: {error!r}") from error


def _records(data: bytes, at: int, batch: Any, partition: Partition) -> list[ConsumerRecord]:
    """The innermost loop. Numbers of one byte are read in place: a call for each would cost as much as all the rest."""
    base_offset, new = batch.base_offset, tuple.__new__
    append_ms = batch.max_timestamp if batch.timestamp_type == APPEND_TIME else None
    first_ms = batch.first_timestamp
    found: list[ConsumerRecord] = []
    # What stood before the last header's value of the record before, what it said, and the last header's name.
    same, name = NO_HEADERS_YET, ""
    head: tuple[Header, ...] = ()
    for _ in range(batch.records_count):
        size, at = _number(data, at)
        end = at + size
        at += 1  # attributes, of which there are none
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
        found.append(new(ConsumerRecord, (partition, base_offset + after, time_ms, key, value, head, tail)))
    if at != len(data):
        raise CorruptRecordError(f"Batch of {partition} at offset {base_offset} goes on behind its last record")
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint at `at`, and where it ends."""
    byte = data[at]
    raw, shift = byte & 127, 7
    while byte & 128:
        at += 1
        byte = data[at]
        raw |= (byte & 127) << shift
        shift += 7
    return (raw >> 1) ^ -(raw & 1), at + 1


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    """Bytes behind their length, None for -1; and where they end."""
    size, at = _number(data, at)
    return (None, at) if size < 0 else (data[at : at + size], at + size)


def _headers(data: bytes, at: int) -> tuple[tuple[Header, ...], str, bytes | None, int, int]:
    """All headers but the last, its name, its value, where that begins (at its length) and where it ends."""
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
