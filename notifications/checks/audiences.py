"""System checks of the audiences: what is wrong would else be found out in the middle of one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Info
from django.db.models import QuerySet, UUIDField

from notifications.audiences import Audience, all_audiences


def check_audiences() -> Iterator[CheckMessage]:
    """Each gives a queryset that can be paged, and has functions of one row. Reads no row."""
    for audience in all_audiences():
        for name, function in (("person", audience.person), ("data", audience.data)):
            if not _takes_a_row(function):
                yield Error(
                    f"The audience {audience.name!r} cannot ask {name} of a row.",
                    hint=f"Give {name}=… a function of one argument, the row.",
                    id="notifications.E052",
                )
        yield from _of_rows(audience)


def _of_rows(audience: Audience) -> Iterator[CheckMessage]:
    try:
        rows: Any = audience.queryset()
        problem = _problem(rows)
    except Exception as error:  # noqa: BLE001 - whatever it raises is what to mend
        problem = f"raises {type(error).__name__}: {error}"
    if problem:
        yield Error(
            f"The queryset of audience {audience.name!r} {problem}.",
            hint="Give a function without arguments that gives a QuerySet of models, neither "
            "sliced nor combined: it is read page by page, by its primary key.",
            id="notifications.E051",
        )
    elif isinstance(rows.model._meta.pk, UUIDField):
        yield Info(
            f"The audience {audience.name!r} has keys in no order of time: who joins it while an "
            "announcement goes out may be told, or not.",
            hint="Choose rows with a growing key, if that matters.",
            id="notifications.I053",
        )


def _problem(rows: Any) -> str:
    if not isinstance(rows, QuerySet):
        return f"is a {type(rows).__name__}"
    if rows.query.is_sliced:
        return "is sliced"
    if rows.query.combinator:
        return "is a union"
    return ""


def _takes_a_row(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(object())
    except (TypeError, ValueError):
        return False
    return True
