"""The NOTIFICATIONS setting, read once and typed. Wrong values speak through `notifications.checks`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed


@dataclass(frozen=True)
class Route:
    """One line of the routes table: this event is told over `channel`.

    `name` tells apart two routes of one event over one channel (the customer and
    the warehouse, say); the recipient resolver is given the route.
    """

    channel: str
    name: str = "customer"


@dataclass(frozen=True)
class ChannelConf:
    """One channel: the adapter's dotted path and the keyword arguments it is made with.

    max_seconds: maximum processing time of one message; leases and visibility follow from it.
    """

    adapter: str
    options: Mapping[str, Any] = field(default_factory=dict)
    max_seconds: int = 30


@dataclass(frozen=True)
class Conf:
    """What the NOTIFICATIONS dictionary may hold, key by key in capitals (`prefix` ← "PREFIX").

    prefix: the environment; it starts every topic's and queue's name.
    source: CloudEvents `source` of what this shop records, a URI reference.
    channels: channel name → ChannelConf.
    routes: event type → the routes it takes.
    recipients: dotted path to `(envelope, route) -> Iterable[Recipient]`.
    context: dotted path to `(envelope, recipient) -> dict`, what templates may use.
    still_true: dotted path to `(envelope) -> str | None`, the reason why it no longer is.
    address_hash_keys: version → secret, for searching by address; the highest version writes.
    fifo_topics: event domains whose events keep their order per subject ("order/1"); the
        queues that only they feed are FIFO too.
    """

    prefix: str = "dev"
    source: str = "urn:shop"
    channels: Mapping[str, ChannelConf] = field(default_factory=dict)
    routes: Mapping[str, tuple[Route, ...]] = field(default_factory=dict)
    recipients: str = ""
    context: str = ""
    still_true: str = ""
    address_hash_keys: Mapping[int, str] = field(default_factory=dict)
    fifo_topics: frozenset[str] = frozenset()


@cache
def conf() -> Conf:
    """The typed setting. Raises ImproperlyConfigured for a key that does not exist."""
    given: Mapping[str, Any] = getattr(settings, "NOTIFICATIONS", {})
    known = {entry.name.upper() for entry in fields(Conf)}
    if unknown := sorted(set(given) - known):
        raise ImproperlyConfigured(
            f"NOTIFICATIONS has unknown keys {unknown}; it may hold {sorted(known)}."
        )
    values = {name.lower(): value for name, value in given.items()}
    values["routes"] = {name: tuple(routes) for name, routes in values.get("routes", {}).items()}
    values["fifo_topics"] = frozenset(values.get("fifo_topics", ()))
    return Conf(**values)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "NOTIFICATIONS":
        conf.cache_clear()


setting_changed.connect(_forget, dispatch_uid="notifications.conf")
