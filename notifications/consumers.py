"""Consumers: one queue, one Celery task, the event types it wants and its limits.

A new consumer is one registration, in a `consumers.py` of any installed app:

    register(Consumer("analytics", task="analytics.record", wants=None, max_seconds=30))

The publisher does not change: queue, dead-letter queue, subscription and filter
follow from this row (`notifications.topology`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from notifications.envelope import Envelope

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}\Z")
_TAKEN = ("-bulk", "-dlq", "-undelivered", "-undelivered-in-order")
"""How the names of its other queues end."""


@dataclass(frozen=True)
class Source:
    """What feeds a consumer whose queue carries other bodies than events: a topic of its own.

    topic: its name without the environment's prefix; no event goes there.
    read: from a body to an envelope of an internal event type; None where the body is well-formed
        and none of our business. Raises NotAnEvent.
    publishers: the AWS services that may publish there ("ses.amazonaws.com").
    """

    topic: str
    read: Callable[[str], Envelope | None]
    publishers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Consumer:
    """One row of the registry.

    name: the queue's name without the environment's prefix, and what `-Q` takes.
    task: the Celery task's name.
    wants: the event types it is sent; None means every one.
    max_seconds: maximum processing time of one message, in seconds.
    max_retries: the task's own `max_retries`; its queue allows some more receives than that.
    bulk: whether it has a `-bulk` queue beside the first (channel consumers do).
    channel: the channel it serves, for channel consumers; empty for service consumers.
    account: the provider account whose rate limit and breaker hold it back, where it shares one
        with another consumer; empty: one of its own, by its name.
    source: where it takes other bodies than events from; it is sent no events then.
    inbox: whether a service consumer leaves a row for each event that it has done, by which a
        replay passes over it. False saves a statement a message where doing it twice harms nobody.
    """

    name: str
    task: str
    wants: frozenset[str] | None
    max_seconds: int = 30
    max_retries: int = 8
    bulk: bool = False
    channel: str = ""
    account: str = ""
    source: Source | None = None
    inbox: bool = True

    @property
    def account_name(self) -> str:
        return self.account or self.name

    @property
    def keeps_inbox(self) -> bool:
        """Whether its inbox tells what it has done: of a channel, the deliveries do."""
        return self.inbox and not self.channel and self.source is None

    def takes(self, event_type: str) -> bool:
        return self.source is None and (self.wants is None or event_type in self.wants)


_registry: dict[str, Consumer] = {}


def register(consumer: Consumer) -> Consumer:
    """Add a consumer. One name for two tasks is a configuration error; for the same task, the
    later registration stands."""
    if not _NAME.match(consumer.name) or consumer.name.endswith(_TAKEN):
        raise ImproperlyConfigured(
            f"Consumer name {consumer.name!r}: use 1 to 40 of a-z, 0-9 and -, "
            f"starting with a letter and not ending in {' or '.join(_TAKEN)}."
        )
    if consumer.wants is not None and not isinstance(consumer.wants, frozenset | set):
        raise ImproperlyConfigured(
            f"Consumer {consumer.name!r}: wants is {consumer.wants!r}: give a set of event types, "
            'as frozenset({"order.shipped"}), or None for every one.'
        )
    known = _registry.get(consumer.name)
    if known is not None and known.task != consumer.task:
        raise ImproperlyConfigured(
            f"Consumer {consumer.name!r} is registered for two tasks: "
            f"{known.task} and {consumer.task}."
        )
    _registry[consumer.name] = consumer
    return consumer


def unregister(name: str) -> None:
    """Forget a consumer (tests; a shop that removes one of ours). Its queue stays as it is."""
    _registry.pop(name, None)


def get(name: str) -> Consumer:
    """The consumer of that name, or ImproperlyConfigured listing those there are."""
    try:
        return _registry[name]
    except KeyError:
        raise ImproperlyConfigured(
            f"No consumer is named {name!r}; there are: {', '.join(sorted(_registry)) or 'none'}."
        ) from None


def all_consumers() -> tuple[Consumer, ...]:
    """Every consumer, in order of name."""
    return tuple(_registry[name] for name in sorted(_registry))


def channel_of(name: str) -> str:
    """The channel that the consumer serves; empty for a service, and for one that is gone."""
    registered = _registry.get(name)
    return registered.channel if registered else ""


def serving(channel: str) -> Consumer | None:
    """The consumer that serves this channel; None where nobody does, or a deploy took it away."""
    return next((each for each in all_consumers() if each.channel == channel), None)


def name_serving(channel: str) -> str:
    """Its name; where nobody serves the channel, the channel's own."""
    found = serving(channel)
    return found.name if found else channel


def expected_for(event_type: str) -> list[str]:
    """The names of the consumers that an event of this type is meant to reach, now."""
    return [consumer.name for consumer in all_consumers() if consumer.takes(event_type)]
