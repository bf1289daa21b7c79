"""Audiences: whom an announcement may be sent to, each a named queryset of the shop's.

    @audience("newsletter", person=lambda row: f"customer/{row.pk}",
              data=lambda row: {"customer_id": row.pk})
    def newsletter() -> QuerySet[Customer]:
        return Customer.objects.filter(email_consent=True).only("pk")

In an `audiences.py` of any installed app. It is read page by page in the order of its primary
key, each page by what the one before it ended with: of a million rows, no more than a page is
ever in memory, and no page costs more than the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model, QuerySet

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}\Z")

Rows = Callable[[], QuerySet[Any]]


@dataclass(frozen=True)
class Audience:
    """One audience.

    name: what `manage.py announce --audience` takes.
    queryset: gives its rows, one for each person, whenever it is asked; its order is ours.
    person: from a row to the person's reference ("customer/42"). Who is found in two rows is
        told once.
    data: from a row to the fields of the event's data that say whom it is about; the resolver
        finds them there. The others are given with the announcement, the same for everybody.
    title: in words, for operators; the name, if there are none.
    """

    name: str
    queryset: Rows
    person: Callable[[Any], str]
    data: Callable[[Any], Mapping[str, Any]]
    title: str = ""

    def rows(self) -> QuerySet[Any]:
        """In the order of the primary key."""
        return self.queryset().order_by("pk")

    def count(self) -> int:
        """How many rows there are now: an estimate of whom will be told, some seconds hence."""
        return int(self.queryset().order_by().count())

    def last_key(self) -> str:
        """The highest primary key now, as text; empty when nobody is there."""
        highest = self.queryset().order_by("-pk").values_list("pk", flat=True).first()
        return "" if highest is None else str(highest)

    def page(self, after: str, upto: str, size: int) -> list[Any]:
        """The next `size` rows whose keys come after `after` (empty: from the first) and not after
        `upto`; keys as text, as `key_of` gives them."""
        rows = self.rows().filter(pk__lte=self._key(upto))
        if after:
            rows = rows.filter(pk__gt=self._key(after))
        return list(rows[:size])

    def key_of(self, row: Model) -> str:
        return str(row.pk)

    def _key(self, text: str) -> Any:
        return self.queryset().model._meta.pk.to_python(text)


_registry: dict[str, Audience] = {}


def register(audience: Audience) -> Audience:
    """Add an audience. One name for two is a configuration error."""
    if not _NAME.match(audience.name):
        raise ImproperlyConfigured(
            f"Audience name {audience.name!r}: use 1 to 40 of a-z, 0-9, _ and -, "
            "starting with a letter."
        )
    known = _registry.get(audience.name)
    if known is not None and _path(known) != _path(audience):
        raise ImproperlyConfigured(
            f"Audience {audience.name!r} is registered twice: "
            f"by {_path(known)} and {_path(audience)}."
        )
    _registry[audience.name] = audience
    return audience


def audience(
    name: str,
    *,
    person: Callable[[Any], str],
    data: Callable[[Any], Mapping[str, Any]],
    title: str = "",
) -> Callable[[Rows], Rows]:
    """Register the decorated function as the queryset of an audience."""

    def add(queryset: Rows) -> Rows:
        register(Audience(name, queryset, person, data, title))
        return queryset

    return add


def unregister(name: str) -> None:
    """Forget an audience (tests; a shop that does without)."""
    _registry.pop(name, None)


def get(name: str) -> Audience:
    """The audience of that name, or ImproperlyConfigured listing those there are."""
    try:
        return _registry[name]
    except KeyError:
        there = ", ".join(sorted(_registry)) or "none"
        raise ImproperlyConfigured(f"No audience is named {name!r}; there are: {there}.") from None


def all_audiences() -> tuple[Audience, ...]:
    """Every audience, in order of name."""
    return tuple(_registry[name] for name in sorted(_registry))


def _path(audience: Audience) -> str:
    return f"{audience.queryset.__module__}.{audience.queryset.__qualname__}"
