"""The columns that several pages share, made from the name of a model's field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Model
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.admin import display

Column = Callable[[Any, Any], str]
"""A method of a model admin: takes the admin and the row, gives what is shown."""


STATE = _("state")


def _column(title: Promise, show: Callable[[Any], str]) -> Column:
    def column(model_admin: Any, row: Any) -> str:
        return show(row)

    column.short_description = title  # type: ignore[attr-defined]
    return column


def state(field: str = "state", title: Promise = STATE) -> Column:
    return _column(title, lambda row: display.badge(getattr(row, field)))


def moment(field: str, title: Promise) -> Column:
    """The exact time."""
    return _column(title, lambda row: display.exact(getattr(row, field)))


def age(field: str) -> Column:
    return _column(_("age"), lambda row: display.age(getattr(row, field)))


def ago(field: str, title: Promise) -> Column:
    """How long ago, for lists."""
    return _column(title, lambda row: display.ago(getattr(row, field)))


def short(field: str, title: Promise) -> Column:
    """The beginning of a text, in one line."""
    return _column(title, lambda row: display.short(getattr(row, field)))


def whole(field: str, title: Promise) -> Column:
    """A text as it stands, in a box."""
    return _column(title, lambda row: display.block(getattr(row, field) or ""))


def event() -> Column:
    return _column(_("event"), lambda row: display.event_link(row.event_id))


def order(model: type[Model]) -> Column:
    """The subject, leading to its timeline, and to everything in this list about the same one."""
    return _column(_("order"), lambda row: display.subject_link(model, row.subject))
