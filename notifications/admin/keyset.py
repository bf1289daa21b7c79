"""Paging without counting: a page starts after the last row of the one before.

However deep the page, the database reads one page's rows from the index; OFFSET would
read, and throw away, every row before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)

AFTER, BEFORE = "after", "before"
_SEPARATOR = "~"


class WrongCursor(ValueError):
    """A page address that no page of ours was given."""


@dataclass(frozen=True)
class Page(Generic[Row]):
    """The rows in order, and the cursors of the pages beside them (empty: there is none)."""

    rows: list[Row]
    previous: str = ""
    next: str = ""


class Read(Protocol):
    """The first `limit` rows of a queryset in this order, after the one of these values, if any."""

    def __call__(
        self,
        queryset: QuerySet[Any],
        ordering: Sequence[str],
        beyond: Sequence[Any] | None,
        limit: int,
    ) -> Iterable[Any]: ...


def read(
    queryset: QuerySet[Any], ordering: Sequence[str], beyond: Sequence[Any] | None, limit: int
) -> Iterable[Any]:
    """As an index over the columns of `ordering` gives them."""
    found = queryset if beyond is None else queryset.filter(_beyond(ordering, beyond))
    return found.order_by(*ordering)[:limit]


def page(
    queryset: QuerySet[Row], *, ordering: Sequence[str], size: int, cursor: str, read: Read = read
) -> Page[Row]:
    """The page that `cursor` names; the first one for an empty cursor.

    `ordering`: names of columns that are never null, the last one unique. `read`: another way to
    the same rows. Raises WrongCursor.
    """
    direction, _, key = cursor.partition(":")
    if not cursor:
        found = list(read(queryset, ordering, None, size + 1))
        return _forward(found, ordering, size, previous=False)
    beyond = _values(queryset.model, ordering, key)
    if direction == AFTER:
        found = list(read(queryset, ordering, beyond, size + 1))
        return _forward(found, ordering, size, previous=True)
    if direction != BEFORE:
        raise WrongCursor(cursor)
    found = list(read(queryset, [_reversed(name) for name in ordering], beyond, size + 1))
    if len(found) <= size:  # nearly at the top: a whole first page reads better than a torn one
        return page(queryset, ordering=ordering, size=size, cursor="", read=read)
    rows = found[size - 1 :: -1]
    return Page(
        rows,
        previous=_cursor(BEFORE, rows[0], ordering),
        next=_cursor(AFTER, rows[-1], ordering),
    )


def _forward(found: list[Row], ordering: Sequence[str], size: int, *, previous: bool) -> Page[Row]:
    rows = found[:size]
    return Page(
        rows,
        previous=_cursor(BEFORE, rows[0], ordering) if previous and rows else "",
        next=_cursor(AFTER, rows[-1], ordering) if len(found) > size else "",
    )


def _beyond(ordering: Sequence[str], values: Sequence[Any]) -> Q:
    """The rows that come after these values in `ordering`.

    `a <= x AND (a < x OR (a = x AND b < y))`: the first half is what lets an index start there.
    """
    condition, equal = Q(), Q()
    for name, value in zip(ordering, values, strict=True):
        column = name.removeprefix("-")
        lookup = "lt" if name.startswith("-") else "gt"
        condition |= equal & Q(**{f"{column}__{lookup}": value})
        equal &= Q(**{column: value})
    first = ordering[0]
    bound = f"{first.removeprefix('-')}__{'lte' if first.startswith('-') else 'gte'}"
    return Q(**{bound: values[0]}) & condition


def _values(model: type[Model], ordering: Sequence[str], key: str) -> list[Any]:
    texts = key.split(_SEPARATOR)
    if len(texts) != len(ordering):
        raise WrongCursor(key)
    fields = [model._meta.get_field(name.removeprefix("-")) for name in ordering]
    try:
        values = [field.to_python(text) for field, text in zip(fields, texts, strict=True)]  # type: ignore[union-attr]
    except (ValidationError, ValueError, OverflowError):
        raise WrongCursor(key) from None
    if any(isinstance(value, int) and not 0 <= value < 2**63 for value in values):
        raise WrongCursor(key)
    return values


def _cursor(direction: str, row: Model, ordering: Sequence[str]) -> str:
    values = (getattr(row, name.removeprefix("-")) for name in ordering)
    return f"{direction}:{_SEPARATOR.join(_text(value) for value in values)}"


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _reversed(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"
