"""The topology as data: topics, queues and subscriptions, computed from what is registered.

`manage.py provision` applies it, the relay and the worker look names up in it. A new
consumer is one registration; everything it needs follows from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

from notifications.conf import conf
from notifications.consumers import Consumer, all_consumers
from notifications.events import EventType, all_event_types
from notifications.setting import RETENTION_DAYS, VISIBILITY_SECONDS
from notifications.topics import Topic, feeds, physical_name, source_topics, topics_of

RETENTION = RETENTION_DAYS * 24 * 3600
LONG_POLL = 20
"""Seconds, the most that SQS allows of either."""

SPARE_RECEIVES = 20
"""Receives beyond `max_retries`. Deploys and lapsed visibility receive a message again without
any failure; the worker dead-letters what failed, so this net is for what kills the process."""

SHORTEST_VISIBILITY = 30
"""Seconds: less would leave a heartbeat on a slow machine no time for a second try."""


class Role(StrEnum):
    MAIN = "main"
    BULK = "bulk"
    DEAD_LETTERS = "dead_letters"
    UNDELIVERED = "undelivered"
    """What SNS could not deliver to the consumer's first queue."""

    @property
    def is_grave(self) -> bool:
        """Whether no worker receives from it: the keeper brings what lies there into rows."""
        return self in (Role.DEAD_LETTERS, Role.UNDELIVERED)


@dataclass(frozen=True)
class Redrive:
    """After `max_receive_count` receives SQS moves a message to `queue` (a physical name)."""

    queue: str
    max_receive_count: int


@dataclass(frozen=True)
class Queue:
    """One queue of one consumer. Times are in seconds.

    name: without the prefix ("email", "email-bulk", "email-dlq"); physical: the name in SQS.
    senders: the physical names of exactly those topics that may send to it.
    kms_key: the ARN of the key that encrypts what it holds; empty: SQS's own.
    """

    name: str
    physical: str
    consumer: str
    role: Role
    fifo: bool
    visibility_timeout: int
    redrive: Redrive | None = None
    senders: tuple[str, ...] = ()
    retention: int = RETENTION
    long_poll: int = LONG_POLL
    kms_key: str = ""


@dataclass(frozen=True)
class Subscription:
    """`topic` feeds `queue` (physical names) with `event_types`; None means all, unfiltered.
    What SNS cannot deliver, because the queue is gone or refuses it, it puts on `undelivered`."""

    topic: str
    queue: str
    undelivered: str
    event_types: tuple[str, ...] | None
    raw: bool = True


_Named = TypeVar("_Named", Topic, Queue)


@dataclass(frozen=True)
class Topology:
    """Everything one environment has in SNS and SQS."""

    prefix: str
    topics: tuple[Topic, ...]
    queues: tuple[Queue, ...]
    subscriptions: tuple[Subscription, ...]

    def topic(self, name: str) -> Topic:
        """The topic of that name without prefix; ImproperlyConfigured lists those there are."""
        return _named(name, self.topics, "topic")

    def queue(self, name: str) -> Queue:
        """A consumer's queue by its name without prefix: "email", "email-bulk", "email-dlq"."""
        return _named(name, self.queues, "queue")

    def bulk_queue(self, consumer: str) -> Queue:
        """Where resends and replays for it travel: its first queue, if it has no other."""
        by_role = {queue.role: queue for queue in self.queues if queue.consumer == consumer}
        return by_role.get(Role.BULK) or self.queue(consumer)

    def dead_letter_queue(self, consumer: str) -> Queue:
        return self.queue(f"{consumer}-dlq")


def current(*, prefix: str = "") -> Topology:
    """The topology of what is registered and configured now, or with another prefix."""
    return compute(
        prefix or conf().prefix,
        conf().fifo_topics,
        all_consumers(),
        all_event_types(),
        conf().visibility_seconds,
        retention=conf().queue_retention_days * 24 * 3600,
        kms_key=conf().kms_key,
    )


def declared_queues() -> tuple[Queue, ...]:
    """Its queues; none while it cannot be computed, which a check of its own says."""
    try:
        return current().queues
    except ImproperlyConfigured:
        return ()


@lru_cache(maxsize=8)
def compute(
    prefix: str,
    fifo_topics: frozenset[str],
    consumers: tuple[Consumer, ...],
    event_types: tuple[EventType, ...],
    longest_visibility: int = VISIBILITY_SECONDS,
    *,
    retention: int = RETENTION,
    kms_key: str = "",
) -> Topology:
    """The topology of these consumers and event types. Raises ImproperlyConfigured.

    longest_visibility: seconds; a queue's own follows from its consumer's maximum processing time.
    Where that is longer, the worker's heartbeat extends it (`notifications.worker.heartbeat`).
    retention: seconds, of the queues that workers receive from. Dead letters are kept for as long
    as SQS allows: a message that SQS moves there brings its age along.
    """
    topics = topics_of(prefix, fifo_topics, event_types)
    sources = source_topics(prefix, consumers, topics)
    queues: list[Queue] = []
    subscriptions: list[Subscription] = []
    for consumer in consumers:
        fed = list(feeds(consumer, topics, sources, event_types))
        visibility = _visibility(consumer, longest_visibility)
        fed_by = [topic for topic, _ in fed]
        *before, main = _queues(prefix, consumer, fed_by, visibility)
        kinds = sorted({topic.fifo for topic in fed_by})
        lost = {fifo: _undelivered(prefix, main, fed_by, fifo) for fifo in kinds}
        queues += [*before, *lost.values(), main]
        subscriptions += [
            Subscription(topic.physical, main.physical, lost[topic.fifo].physical, wants)
            for topic, wants in fed
        ]
    return Topology(
        prefix,
        tuple(replace(topic, kms_key=kms_key) for topic in (*topics, *sources.values())),
        tuple(
            replace(each, kms_key=kms_key, retention=RETENTION if each.role.is_grave else retention)
            for each in queues
        ),
        tuple(subscriptions),
    )


def _visibility(consumer: Consumer, longest: int) -> int:
    """Seconds for which its queues hide a message: its turn in the worker and its run, within
    bounds."""
    return min(longest, max(SHORTEST_VISIBILITY, 2 * consumer.max_seconds))


def _queues(
    prefix: str, consumer: Consumer, topics: list[Topic], visibility_timeout: int
) -> list[Queue]:
    """Dead letters, bulk, then the queue itself: the order in which they can be made."""
    # A standard topic cannot feed a FIFO queue, while a FIFO topic can feed both: a consumer
    # of both kinds gets a standard queue, and no order.
    fifo = bool(topics) and all(topic.fifo for topic in topics)

    def queue(name: str, role: Role, redrive: Redrive | None, senders: tuple[str, ...]) -> Queue:
        physical = physical_name(prefix, name, fifo)
        return Queue(
            name, physical, consumer.name, role, fifo, visibility_timeout, redrive, senders
        )

    dead_letters = queue(f"{consumer.name}-dlq", Role.DEAD_LETTERS, None, ())
    redrive = Redrive(dead_letters.physical, consumer.max_retries + SPARE_RECEIVES)
    main = queue(consumer.name, Role.MAIN, redrive, tuple(topic.physical for topic in topics))
    if not consumer.bulk:
        return [dead_letters, main]
    return [dead_letters, queue(f"{consumer.name}-bulk", Role.BULK, redrive, ()), main]


def _undelivered(prefix: str, main: Queue, topics: Iterable[Topic], fifo: bool) -> Queue:
    """Where the subscriptions to its FIFO topics, or to its standard ones, put what they cannot
    deliver: SNS wants a queue of the topic's kind, which the consumer's own may not be."""
    name = f"{main.consumer}-undelivered{'-in-order' if fifo and not main.fifo else ''}"
    return replace(
        main,
        name=name,
        physical=physical_name(prefix, name, fifo),
        role=Role.UNDELIVERED,
        fifo=fifo,
        redrive=None,
        senders=tuple(topic.physical for topic in topics if topic.fifo is fifo),
    )


def _named(name: str, among: tuple[_Named, ...], kind: str) -> _Named:
    for candidate in among:
        if candidate.name == name:
            return candidate
    there = ", ".join(candidate.name for candidate in among) or "none"
    raise ImproperlyConfigured(f"No {kind} is named {name!r}; there are: {there}.")
