"""The topology as data: topics, queues and subscriptions, computed from what is registered.

`manage.py provision` applies it, the relay and the worker look names up in it. A new
consumer is one registration; everything it needs follows from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

from notifications.conf import VISIBILITY_SECONDS, conf
from notifications.consumers import Consumer, all_consumers
from notifications.events import EventType, all_event_types

MAX_NAME = 80
"""SQS allows a queue's name 80 characters of A-Z, a-z, 0-9, - and _, `.fifo` included."""

RETENTION = 14 * 24 * 3600
LONG_POLL = 20
"""Seconds, the most that SQS allows of either."""

SPARE_RECEIVES = 20
"""Receives beyond `max_retries`. Deploys and lapsed visibility receive a message again without
any failure; the worker dead-letters what failed, so this net is for what kills the process."""

SHORTEST_VISIBILITY = 30
"""Seconds: less would leave a heartbeat on a slow machine no time for a second try."""

_PREFIX = re.compile(r"[A-Za-z0-9_-]+\Z")


class Role(StrEnum):
    MAIN = "main"
    BULK = "bulk"
    DEAD_LETTERS = "dead_letters"


@dataclass(frozen=True)
class Topic:
    """One event domain, or what another service publishes for one consumer.

    `name` is without the prefix, `physical` is the name in SNS. `publishers`: the AWS services
    that may publish to it; who else may is a matter of IAM.
    """

    name: str
    physical: str
    fifo: bool
    publishers: tuple[str, ...] = ()


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


@dataclass(frozen=True)
class Subscription:
    """`topic` feeds `queue` (physical names) with `event_types`; None means all, unfiltered."""

    topic: str
    queue: str
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


def current() -> Topology:
    """The topology of what is registered and configured now."""
    return compute(
        conf().prefix,
        conf().fifo_topics,
        all_consumers(),
        all_event_types(),
        conf().visibility_seconds,
    )


@lru_cache(maxsize=8)
def compute(
    prefix: str,
    fifo_topics: frozenset[str],
    consumers: tuple[Consumer, ...],
    event_types: tuple[EventType, ...],
    longest_visibility: int = VISIBILITY_SECONDS,
) -> Topology:
    """The topology of these consumers and event types. Raises ImproperlyConfigured.

    longest_visibility: seconds; a queue's own follows from its consumer's maximum processing time.
    Where that is longer, the worker's heartbeat extends it (`notifications.worker.heartbeat`).
    """
    topics = _topics(prefix, fifo_topics, event_types)
    sources = _source_topics(prefix, consumers, topics)
    queues: list[Queue] = []
    subscriptions: list[Subscription] = []
    for consumer in consumers:
        feeds = list(_feeds(consumer, topics, sources, event_types))
        visibility = _visibility(consumer, longest_visibility)
        queues += _queues(prefix, consumer, [topic for topic, _ in feeds], visibility)
        main = queues[-1]
        subscriptions += [
            Subscription(topic.physical, main.physical, wants) for topic, wants in feeds
        ]
    return Topology(prefix, (*topics, *sources.values()), tuple(queues), tuple(subscriptions))


def _topics(
    prefix: str, fifo_topics: frozenset[str], event_types: Iterable[EventType]
) -> tuple[Topic, ...]:
    names = sorted({kind.topic for kind in event_types if kind.topic})
    if unknown := sorted(fifo_topics - set(names)):
        raise ImproperlyConfigured(
            f'NOTIFICATIONS["FIFO_TOPICS"] names {unknown}, which no event type uses; '
            f"the topics are: {', '.join(names) or 'none'}."
        )
    return tuple(
        Topic(name, _physical(prefix, name, name in fifo_topics), name in fifo_topics)
        for name in names
    )


def _source_topics(
    prefix: str, consumers: Iterable[Consumer], topics: Iterable[Topic]
) -> dict[str, Topic]:
    """The topics that carry no events, by name: each feeds its consumer, unfiltered."""
    taken = {topic.name for topic in topics}
    found: dict[str, Topic] = {}
    for consumer in consumers:
        if (source := consumer.source) is None:
            continue
        if source.topic in taken:
            raise ImproperlyConfigured(
                f"Consumer {consumer.name!r} takes {source.topic!r}, which carries events: "
                "give its source a topic of its own."
            )
        physical = _physical(prefix, source.topic, fifo=False)
        found[source.topic] = Topic(source.topic, physical, False, source.publishers)
    return found


def _feeds(
    consumer: Consumer,
    topics: Iterable[Topic],
    sources: Mapping[str, Topic],
    event_types: Iterable[EventType],
) -> Iterator[tuple[Topic, tuple[str, ...] | None]]:
    """The topics that carry something this consumer wants, with the types to let through."""
    if consumer.source is not None:
        yield sources[consumer.source.topic], None
        return
    for topic in topics:
        if consumer.wants is None:
            yield topic, None
            continue
        carried = {kind.name for kind in event_types if kind.topic == topic.name}
        if wanted := carried & consumer.wants:
            yield topic, tuple(sorted(wanted))


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
        physical = _physical(prefix, name, fifo)
        return Queue(
            name, physical, consumer.name, role, fifo, visibility_timeout, redrive, senders
        )

    dead_letters = queue(f"{consumer.name}-dlq", Role.DEAD_LETTERS, None, ())
    redrive = Redrive(dead_letters.physical, consumer.max_retries + SPARE_RECEIVES)
    main = queue(consumer.name, Role.MAIN, redrive, tuple(topic.physical for topic in topics))
    if not consumer.bulk:
        return [dead_letters, main]
    return [dead_letters, queue(f"{consumer.name}-bulk", Role.BULK, redrive, ()), main]


def _physical(prefix: str, name: str, fifo: bool) -> str:
    physical = f"{prefix}-{name}{'.fifo' if fifo else ''}"
    if not _PREFIX.match(prefix) or len(physical) > MAX_NAME:
        raise ImproperlyConfigured(
            f'NOTIFICATIONS["PREFIX"] {prefix!r} makes the name {physical!r}, which SQS refuses: '
            f"use A-Z, a-z, 0-9, - and _, and at most {MAX_NAME} characters in all."
        )
    return physical


def _named(name: str, among: tuple[_Named, ...], kind: str) -> _Named:
    for candidate in among:
        if candidate.name == name:
            return candidate
    there = ", ".join(candidate.name for candidate in among) or "none"
    raise ImproperlyConfigured(f"No {kind} is named {name!r}; there are: {there}.")
