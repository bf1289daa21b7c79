"""Paging without counting: a page starts after the last row of the one before.

However deep the page, the database reads one page's rows from the index; OFFSET would
read, and throw away, every row before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

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


def page(queryset: QuerySet[Row], *, ordering: Sequence[str], size: int, cursor: str) -> Page[Row]:
    """The page that `cursor` names; the first one for an empty cursor.

    `ordering`: names of columns that are never null, the last one unique.
    Raises WrongCursor.
    """
    direction, _, key = cursor.partition(":")
    if not cursor:
        return _forward(queryset.order_by(*ordering), ordering, size, previous=False)
    if direction == AFTER:
        beyond = queryset.filter(_beyond(queryset, ordering, key)).order_by(*ordering)
        return _forward(beyond, ordering, size, previous=True)
    if direction == BEFORE:
        return _backward(queryset, ordering, size, key)
    raise WrongCursor(cursor)


def _forward(
    queryset: QuerySet[Row], ordering: Sequence[str], size: int, *, previous: bool
) -> Page[Row]:
    found = list(queryset[: size + 1])
    rows = found[:size]
    return Page(
        rows,
        previous=_cursor(BEFORE, rows[0], ordering) if previous and rows else "",
        next=_cursor(AFTER, rows[-1], ordering) if len(found) > size else "",
    )


def _backward(queryset: QuerySet[Row], ordering: Sequence[str], size: int, key: str) -> Page[Row]:
    reverse = [_reversed(name) for name in ordering]
    beyond = queryset.filter(_beyond(queryset, reverse, key)).order_by(*reverse)
    found = list(beyond[: size + 1])
    if len(found) <= size:  # nearly at the top: a whole first page reads better than a torn one
        return page(queryset, ordering=ordering, size=size, cursor="")
    rows = found[size - 1 :: -1]
    return Page(
        rows,
        previous=_cursor(BEFORE, rows[0], ordering),
        next=_cursor(AFTER, rows[-1], ordering),
    )


def _beyond(queryset: QuerySet[Row], ordering: Sequence[str], key: str) -> Q:
    """The rows that come after `key` in `ordering`.

    `a <= x AND (a < x OR (a = x AND b < y))`: the first half is what lets an index start there.
    """
    values = _values(queryset.model, ordering, key)
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
