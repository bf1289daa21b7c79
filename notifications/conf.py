"""The NOTIFICATIONS setting, read once and typed. `notifications.checks` says what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.translation import gettext_lazy as _

from notifications.policies import (
    Bulk,
    Editable,
    Fleet,
    Objective,
    ReceiptWebhooks,
    Reputation,
    Retention,
)
from notifications.setting import (
    Category,
    ChannelConf,
    Conf,
    Digest,
    Fallback,
    ProviderConf,
    QuietHours,
    Route,
)
from notifications.setting_kinds import KEYS, problems, unreadable

__all__ = [
    "SERVICE",
    "Bulk",
    "Category",
    "ChannelConf",
    "Conf",
    "Digest",
    "Editable",
    "Fallback",
    "Fleet",
    "Objective",
    "ProviderConf",
    "QuietHours",
    "ReceiptWebhooks",
    "Reputation",
    "Retention",
    "Route",
    "as_far_as_readable",
    "conf",
]

SERVICE = "service"
"""The category of an event type that names none."""

_SERVICE = Category(_("Your orders and your account"), transactional=True)


def conf() -> Conf:
    """The typed setting. Raises ImproperlyConfigured saying what cannot be read."""
    return cast(Conf, _part.get()) or _whole()


@contextmanager
def as_far_as_readable() -> Iterator[set[str]]:
    """Meanwhile `conf()` gives what can be read, and its default for each key that cannot: for the
    system checks, which say all that is wrong at once. Yields the names of such keys that somebody
    asked for since the set was cleared: what they make of a default is nonsense."""
    given: Any = getattr(settings, "NOTIFICATIONS", {})
    doubtful = unreadable(given)
    readable = {name: given[name] for name in KEYS - doubtful if name in given}
    part = _Part(_typed(readable), doubtful)
    token = _part.set(part)
    try:
        yield part.asked
    finally:
        _part.reset(token)


class _Part:
    """A Conf that notes who asks for what could not be read."""

    def __init__(self, readable: Conf, doubtful: Collection[str]) -> None:
        self.asked: set[str] = set()
        self._readable = readable
        self._unreadable = {name.lower() for name in doubtful}

    def __getattr__(self, name: str) -> Any:
        if name in self._unreadable:
            self.asked.add(name)
        return getattr(self._readable, name)


_part: ContextVar[_Part | None] = ContextVar("part", default=None)


@cache
def _whole() -> Conf:
    given: Any = getattr(settings, "NOTIFICATIONS", {})
    for problem in problems(given):
        raise ImproperlyConfigured(problem)
    return _typed(given)


def _typed(given: Mapping[str, Any]) -> Conf:
    values = {name.lower(): value for name, value in given.items()}
    values["routes"] = {
        name: tuple(route for line in lines for route in _routes(line))
        for name, lines in values.get("routes", {}).items()
    }
    values["categories"] = {SERVICE: _SERVICE, **values.get("categories", {})}
    values["template_partials"] = tuple(values.get("template_partials", ()))
    values["public_url"] = values.get("public_url", "").rstrip("/")
    values["fifo_topics"] = frozenset(values.get("fifo_topics", ()))
    return Conf(**values)


def _routes(line: Route | Fallback) -> tuple[Route, ...]:
    return line.routes() if isinstance(line, Fallback) else (line,)


def _forget(*, setting: str, **_: object) -> None:
    if setting == "NOTIFICATIONS":
        _whole.cache_clear()


setting_changed.connect(_forget, dispatch_uid="notifications.conf")
