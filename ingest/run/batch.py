"""A batch: Kafka records through the flow, to Elasticsearch, to the dead letters; each ends as exactly one outcome.

Nothing of a batch is committed here; `worker` does that, after the ledger.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ingest.core.flow import Flow
from ingest.core.model import Document, Message, Outcomes, Reject
from ingest.edge.ports import Action, Answer, Letter, Outbox, Partition, Received, RequestTooLarge, Store
from ingest.run import refusals
from ingest.run.headers import message, replay_of
from ingest.run.ledger import Count, Hold, Range
from ingest.run.meaning import Meaning, fate, meaning, outcome
from ingest.run.patience import Patience
from ingest.run.writing import Writer

log = logging.getLogger("perflog.run")


@dataclass(slots=True)
class Item:
    """One Kafka record on its way: what the flow made of it, and what became of that."""

    received: Received
    message: Message
    flow: Flow
    outcomes: Outcomes
    fates: list[str] = field(default_factory=list)
    refused: list[tuple[str, Reject]] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """What the record counts as."""
        return outcome(bool(self.refused), self.fates)


@dataclass(frozen=True, slots=True)
class Services:
    """What a batch is written with."""

    store: Store
    outbox: Outbox
    writer: Writer
    patience: Patience
    dead_letter_topic: str
    now_ms: Callable[[], int]


def answered(records: Sequence[Received], flows: Mapping[str, Flow], services: Services) -> list[Item]:
    """Read, write and, where refused, dead-letter every record; returns when all of it was confirmed."""
    items = [_read(record, flows[record.partition.topic], services.now_ms()) for record in records]
    _write_documents(items, services)
    _write_refusals([item for item in items if item.refused], services)
    return items


def _read(received: Received, flow: Flow, ingested_ms: int) -> Item:
    told = message(received)
    outcomes = flow.outcomes(told, ingested_ms)
    refused = [(refusals.READ_STAGE, reject) for reject in outcomes.rejects]
    return Item(received, told, flow, outcomes, refused=refused)


def _write_documents(items: Sequence[Item], services: Services) -> None:
    made = [(item, action) for item in items for action in _actions(item)]
    answers = services.writer.write([action for _, action in made])
    present = [n for n, answer in enumerate(answers) if meaning(answer) is Meaning.PRESENT]
    wanted = [(made[n][1].index, made[n][1].id) for n in present]
    origins = dict(zip(present, services.patience.until_done(lambda: services.store.origins(wanted)), strict=True))
    for n, ((item, _), answer) in enumerate(zip(made, answers, strict=True)):
        _settle(item, answer, origins.get(n))


def _settle(item: Item, answer: Answer, origin: str | None) -> None:
    found = meaning(answer)
    item.fates.append(fate(found, origin, item.received.coordinates))
    if found is Meaning.REFUSED:
        reject = refusals.refused_document(answer, item.message.data, _source(item))
        item.refused.append((refusals.INDEX_STAGE, reject))


def _actions(item: Item) -> list[Action]:
    actions = []
    for document in item.outcomes.documents:
        try:
            actions.append(_action(document))
        except TypeError as error:
            reject = refusals.unserialisable(error, item.message.data, _source(item))
            item.refused.append((refusals.INDEX_STAGE, reject))
    return actions


def _action(document: Document) -> Action:
    return Action("index", document.index, document.id, document.json, document.version)


def _source(item: Item) -> str | None:
    """The source that made the record's documents, as they say themselves."""
    bodies = (document.body for document in item.outcomes.documents)
    return next((body.get("perf", {}).get("source") for body in bodies), None)


def _write_refusals(items: Sequence[Item], services: Services) -> None:
    """To the dead-letter topic and to the rejects index, both confirmed; twice is the same once in the index."""
    if not items:
        return
    places = [refusals.place(i.received, i.message, i.flow.intake) for i in items]
    letters = _letters(items, places, services)
    now_ms = services.now_ms()
    actions = [
        action
        for i, at, letter_at in zip(items, places, letters, strict=True)
        for action in refusals.actions(at, i.message, i.flow.intake, i.refused, now_ms, letter_at)
    ]
    answers = services.writer.write(actions)
    again = [a for a, answer in zip(actions, answers, strict=True) if meaning(answer) is Meaning.REFUSED]
    services.writer.write([refusals.without_bytes(action) for action in again])


def _letters(items: Sequence[Item], places: Sequence[tuple[str, str]], services: Services) -> list[str | None]:
    """Write the letters; where each lies. A replayed record that is refused again has one, which its reject names."""
    replayed = [n for n, item in enumerate(items) if replay_of(item.received)]
    there = services.patience.until_done(lambda: services.store.origins([places[n] for n in replayed]))
    has_one = {n for n, origin in zip(replayed, there, strict=True) if origin is not None}
    due = [n for n in range(len(items)) if n not in has_one]
    topic = services.dead_letter_topic
    letters = [refusals.letter(topic, items[n].received, items[n].flow.intake, items[n].refused) for n in due]
    sent = dict(zip(due, _send(letters, services), strict=True))
    return [sent.get(n) for n in range(len(items))]


def _send(letters: Sequence[Letter], services: Services) -> list[str | None]:
    """All letters, or, when the topic does not take one of them, each for itself and that one without its value."""
    if not letters:
        return []
    try:
        return services.patience.until_done(lambda: services.outbox.send(letters))
    except RequestTooLarge:
        if len(letters) == 1:
            log.error("%s takes no letter of this size; it goes without its value.", letters[0].topic)
            return services.patience.until_done(lambda: services.outbox.send([refusals.without_value(letters[0])]))
        return [at for letter in letters for at in _send([letter], services)]


def ranges(items: Sequence[Item], holds: Mapping[Partition, Hold]) -> list[Range]:
    """The ledger's ranges of a batch: one for each partition, from what was committed to behind its last record."""
    spans = []
    for partition, hold in holds.items():
        mine = [item for item in items if item.received.partition == partition]
        if mine:
            next_offset = mine[-1].received.offset + 1
            times_ms = mine[0].received.time_ms
            spans.append(Range(partition, hold, hold.first_offset, next_offset, times_ms, counted(mine)))
    return spans


def counted(items: Sequence[Item]) -> Count:
    """What became of them, in numbers."""
    count = Count(records=len(items))
    for item in items:
        count.documents += len(item.outcomes.documents)
        count.outcomes[item.outcome] += 1
        count.reasons.update(reject.reason for _, reject in item.refused)
        if item.outcome == "ignored":
            count.shapes.update(ignored.shape for ignored in item.outcomes.ignored)
    return count
