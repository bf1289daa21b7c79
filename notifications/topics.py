"""The topics of an environment, which of them feed which consumer, and how topics and queues are
named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured

from notifications.consumers import Consumer
from notifications.events import EventType

MAX_NAME = 80
"""SQS allows a queue's name 80 characters of A-Z, a-z, 0-9, - and _, `.fifo` included."""

_PREFIX = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True)
class Topic:
    """One event domain, or what another service publishes for one consumer.

    `name` is without the prefix, `physical` is the name in SNS. `publishers`: the AWS services
    that may publish to it; who else may is a matter of IAM. `kms_key`: the ARN of the key that
    encrypts what it holds; SNS has no key of its own.
    """

    name: str
    physical: str
    fifo: bool
    publishers: tuple[str, ...] = ()
    kms_key: str = ""


def topics_of(
    prefix: str, fifo_topics: frozenset[str], event_types: Iterable[EventType]
) -> tuple[Topic, ...]:
    names = sorted({kind.topic for kind in event_types if kind.topic})
    if unknown := sorted(fifo_topics - set(names)):
        raise ImproperlyConfigured(
            f'NOTIFICATIONS["FIFO_TOPICS"] names {unknown}, which no event type uses; '
            f"the topics are: {', '.join(names) or 'none'}."
        )
    return tuple(
        Topic(name, physical_name(prefix, name, name in fifo_topics), name in fifo_topics)
        for name in names
    )


def source_topics(
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
        physical = physical_name(prefix, source.topic, fifo=False)
        found[source.topic] = Topic(source.topic, physical, False, source.publishers)
    return found


def feeds(
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


def physical_name(prefix: str, name: str, fifo: bool) -> str:
    physical = f"{prefix}-{name}{'.fifo' if fifo else ''}"
    if not _PREFIX.match(prefix) or len(physical) > MAX_NAME:
        raise ImproperlyConfigured(
            f'NOTIFICATIONS["PREFIX"] {prefix!r} makes the name {physical!r}, which SQS refuses: '
            f"use A-Z, a-z, 0-9, - and _, and at most {MAX_NAME} characters in all."
        )
    return physical
