"""From dispatch rows to batches, and from batches to what became of each row."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

from notifications import envelope, topology
from notifications.aws import sns, sqs
from notifications.aws.batches import MAX_BYTES, Entry, Outcome, batched
from notifications.aws.errors import AWS_ERRORS, describe, is_about_the_content
from notifications.exceptions import NotificationError
from notifications.models import Dispatch
from notifications.topics import Topic

_GROUP = re.compile(r"[!-~]{1,128}\Z")
"""What SNS and SQS take as a message group: up to 128 printable ASCII characters, no space."""

Send = Callable[[str, Sequence[Entry]], Outcome]
_SEND: dict[str, Send] = {
    Dispatch.Kind.TOPIC: sns.publish_batch,
    Dispatch.Kind.QUEUE: sqs.send_message_batch,
}


PUBLISHERS = 8
"""Batches in flight: at 10 ms to SNS and back, one at a time is 1,000 events/s at most; eight
keep one process busy (1,800/s on half of a shared core pair, 0.3 ms of CPU each)."""


@dataclass(frozen=True)
class Batch:
    """What one call carries to one place. Every entry is named after its row's id.

    destination: the place's name without the prefix, physical: with it.
    """

    kind: str
    destination: str
    physical: str
    fifo: bool
    token: UUID
    entries: tuple[Entry, ...]

    @property
    def place(self) -> str:
        """As `Dispatch.objects.claim` names it."""
        return f"{self.kind}/{self.destination}"

    @property
    def ids(self) -> list[int]:
        return [int(entry.id) for entry in self.entries]


@dataclass(frozen=True)
class Prepared:
    """Claimed rows, ready to go, and those that cannot be published, with the reason."""

    batches: tuple[Batch, ...]
    refused: dict[int, str]


def in_order() -> list[str]:
    """The FIFO destinations, as `Dispatch.objects.claim` takes them."""
    layout = topology.current()
    return [f"{Dispatch.Kind.TOPIC}/{topic.name}" for topic in layout.topics if topic.fifo] + [
        f"{Dispatch.Kind.QUEUE}/{queue.name}" for queue in layout.queues if queue.fifo
    ]


def prepare(dispatches: Iterable[Dispatch]) -> Prepared:
    """Group claimed rows by where they go, and cut into batches that one call may carry."""
    entries: dict[tuple[str, str, str, bool, UUID], list[Entry]] = {}
    refused: dict[int, str] = {}
    for dispatch in dispatches:
        try:
            place = _place(dispatch)
            entry = _entry(dispatch, fifo=place.fifo)
        except (ImproperlyConfigured, NotificationError) as error:
            refused[dispatch.pk] = str(error)
            continue
        if dispatch.token is not None:  # claimed rows have one
            key = (dispatch.kind, place.name, place.physical, place.fifo, dispatch.token)
            entries.setdefault(key, []).append(entry)
    return Prepared(
        tuple(
            Batch(*key, tuple(batch)) for key, alike in entries.items() for batch in batched(alike)
        ),
        refused,
    )


def publish(batch: Batch) -> Outcome:
    """One call. Fails whole where the call did; a bad entry does not take the others with it."""
    try:
        return _SEND[batch.kind](batch.physical, batch.entries)
    except (*AWS_ERRORS, RuntimeError) as error:  # of credentials that have ended, newly fetched
        if not is_about_the_content(error):
            return _failed(batch, describe(error), got_through=False)
        if len(batch.entries) == 1:
            return _failed(batch, describe(error))
        return reduce(add, (publish(replace(batch, entries=(one,))) for one in batch.entries))
    except NotificationError as error:
        return _failed(batch, str(error), got_through=False)


def _failed(batch: Batch, error: str, *, got_through: bool = True) -> Outcome:
    return Outcome(failed={entry.id: error for entry in batch.entries}, got_through=got_through)


def _place(dispatch: Dispatch) -> Topic | topology.Queue:
    layout = topology.current()
    if dispatch.kind == Dispatch.Kind.TOPIC:
        return layout.topic(dispatch.destination)
    return layout.queue(dispatch.destination)


def _entry(dispatch: Dispatch, *, fifo: bool) -> Entry:
    entry = Entry(
        id=str(dispatch.pk),
        body=_body(dispatch),
        attributes=_attributes(dispatch),
        group=_group(dispatch.subject) if fifo else "",
        dedup=_dedup(dispatch) if fifo else "",
    )
    if entry.size > MAX_BYTES:
        raise NotificationError(
            f"{entry.size} bytes with its attributes, SNS and SQS take {MAX_BYTES}", "too_large"
        )
    return entry


def _body(dispatch: Dispatch) -> str:
    if dispatch.body is not None:
        return dispatch.body
    if dispatch.event is None:
        raise NotificationError("the row has neither an event nor a body", "nothing_to_publish")
    return envelope.write(dispatch.event.envelope(generation=dispatch.generation))


def _attributes(dispatch: Dispatch) -> dict[str, str]:
    """The event's attributes (filter policies read `event_type`), then the row's own over them.

    An empty value is left out: SNS refuses it.
    """
    attributes: dict[str, str] = {}
    if (event := dispatch.event) is not None:
        attributes = {
            "event_type": event.type,
            "event_version": str(event.version),
            "traceparent": event.traceparent,
        }
    attributes |= dispatch.attributes
    return {name: str(value) for name, value in attributes.items() if value != ""}


def _group(subject: str) -> str:
    return subject if _GROUP.match(subject) else hashlib.sha256(subject.encode()).hexdigest()


def _dedup(dispatch: Dispatch) -> str:
    """The same whenever this row is published. SNS hands its own on to the queue, so a row
    that puts an event there once more needs another: SQS would drop it in silence."""
    if dispatch.event_id is None or dispatch.kind == Dispatch.Kind.QUEUE:
        return f"dispatch.{dispatch.pk}"
    return f"{dispatch.event_id}.{dispatch.generation}"
