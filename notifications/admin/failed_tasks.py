"""Task results as django-celery-results keeps them, in place of its own pages, which count.

A failed task finds its delivery by the task id that every attempt carries, and where it
failed before there was an attempt, by the event's id in its argument.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import django_celery_results.admin  # noqa: F401 - registers first, whatever the order of apps
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_celery_results.models import GroupResult, TaskResult

from notifications import consumers, envelope
from notifications.admin import columns, related, search
from notifications.admin.display import (
    EMPTY,
    as_json,
    badge,
    block,
    event_link,
    exact,
    group_link,
    link,
    page_url,
    short,
)
from notifications.admin.facts import FactsAdmin
from notifications.admin.filters import ChoiceFilter, StateFilter, WithinFilter
from notifications.exceptions import NotificationError
from notifications.identifiers import task_id
from notifications.models import Attempt, DeadLetter, Delivery, Event
from notifications.timeline_entries import consumer_of

_EVENT_ID = re.compile(r'"id"\s*:\s*"([0-9a-fA-F-]{36})"')


class StatusFilter(StateFilter):
    parameter_name = column = "status"
    states = ("FAILURE", "RETRY", "SUCCESS")
    default = "FAILURE"
    nothing = _("No task has failed.")


class TaskFilter(ChoiceFilter):
    title = _("task")
    parameter_name = column = "task_name"

    def options(self) -> Iterable[str]:
        return sorted({consumer.task for consumer in consumers.all_consumers()})


class DoneFilter(WithinFilter):
    title = _("when")
    column = "date_done"


class TaskResultAdmin(FactsAdmin[Any]):
    """Opens on failures; in a project whose other tasks keep results, "All" shows those too."""

    list_display = ("status_badge", "task", "about", "delivery", "exception", "age")
    list_display_links = ("task",)
    list_filter = (StatusFilter, TaskFilter, DoneFilter)
    list_defer = ("traceback", "meta", "task_kwargs")
    ordering = ("-date_done", "-id")
    search_help_text = _(
        "Exactly one of: an order (123, #123 or order/123), a task's, a delivery's or an "
        "event's id."
    )
    fieldsets = (
        (
            _("What"),
            {
                "fields": (
                    ("task", "consumer"),
                    ("event", "delivery", "dead_letter"),
                    ("arguments", "named_arguments"),
                )
            },
        ),
        (_("Why"), {"fields": (("status_badge", "exception_class", "group"), "message", "trace")}),
        (_("When and where"), {"fields": (("started", "done"), ("worker", "task_id"))}),
    )

    status_badge = columns.state("status")
    trace = columns.whole("traceback", _("traceback"))
    started = columns.moment("date_started", _("started"))
    done = columns.moment("date_done", _("given up"))
    age = columns.age("date_done")

    def matching(self, term: str) -> Q:
        tried = Q(subject__in=search.subjects(term))
        if identifier := search.identifier(term):
            deliveries = Delivery.objects.filter(Q(pk=identifier) | Q(event_id=identifier))
            keys = deliveries.order_by("-id").values_list("pk", flat=True)[: search.MAX_FOLLOWED]
            tried |= Q(delivery__in=list(keys))  # a list: an OR over a join would read both tables
        ids = Attempt.objects.filter(tried, task_id__isnull=False).order_by("-id")
        found = ids.values_list("task_id", flat=True)[: search.MAX_FOLLOWED]
        return Q(task_id__in={term, *map(str, found)})

    def prepare(self, rows: list[Any]) -> None:
        attempts = Attempt.objects.filter(task_id__in=_uuids(row.task_id for row in rows))
        tried = {str(task): key for task, key in attempts.values_list("task_id", "delivery_id")}
        deliveries = Delivery.objects.in_bulk(set(tried.values()))
        events = Event.objects.defer("data").in_bulk(
            {key for row in rows if (key := event_id(row))}
        )
        for row in rows:
            row.delivery = deliveries.get(tried.get(row.task_id))
            row.event = events.get(event_id(row))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            self.prepare([row])
        return row

    def name_of(self, row: Any) -> str:
        return f"{row.task_name or row.task_id}: {_exception(row)[0] or row.status}"

    def related(self, request: HttpRequest, row: Any) -> list[related.Section]:
        ids = _uuids([row.task_id])
        tries = related.attempts(request, Attempt.objects.filter(task_id__in=ids)) if ids else []
        return [*tries, *related.of_event(request, event_id(row))]

    @admin.display(description=_("task"))
    def task(self, row: Any) -> str:
        return row.task_name or EMPTY

    @admin.display(description=_("consumer"))
    def consumer(self, row: Any) -> str:
        named = {entry.task: entry.name for entry in consumers.all_consumers()}
        return named.get(row.task_name, EMPTY)

    @admin.display(description=_("event"))
    def event(self, row: Any) -> SafeString | str:
        return event_link(event_id(row))

    @admin.display(description=_("event"))
    def about(self, row: Any) -> SafeString | str:
        return link(page_url(row.event), row.event) if row.event else event_link(event_id(row))

    @admin.display(description=_("delivery"))
    def delivery(self, row: Any) -> SafeString | str:
        if row.delivery is None:
            return EMPTY
        return link(page_url(row.delivery), f"{row.delivery.channel} {row.delivery.recipient}")

    @admin.display(description=_("dead letter"))
    def dead_letter(self, row: Any) -> SafeString | str:
        letter = _letter_of(row)
        return link(page_url(letter), letter) if letter else EMPTY

    @admin.display(description=_("group"))
    def group(self, row: Any) -> SafeString | str:
        """That of its dead letter, or of the delivery that it could not send."""
        failed = _letter_of(row) or row.delivery
        return group_link(failed.fingerprint if failed else "")

    @admin.display(description=_("exception"))
    def exception(self, row: Any) -> str:
        name, message = _exception(row)
        return short(f"{name}: {message}" if message else name)

    @admin.display(description=_("exception"))
    def exception_class(self, row: Any) -> str:
        return _exception(row)[0] or EMPTY

    @admin.display(description=_("message"))
    def message(self, row: Any) -> SafeString | str:
        return block(_exception(row)[1])

    @admin.display(description=_("arguments"))
    def arguments(self, row: Any) -> SafeString | str:
        return _shown(_unpacked(row.task_args))

    @admin.display(description=_("named arguments"))
    def named_arguments(self, row: Any) -> SafeString | str:
        return _shown(_unpacked(row.task_kwargs))


class GroupResultAdmin(FactsAdmin[Any]):
    """Celery groups: on the admin's index only where a project uses them."""

    list_display = ("group_id", "date_done")
    ordering = ("-date_done", "-id")
    list_defer = ("result",)
    fieldsets = ((None, {"fields": ("group_id", "date_created", "date_done", "members")}),)

    members = columns.whole("result", _("result"))

    def matching(self, term: str) -> Q:
        return Q(group_id=term)

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        return super().get_model_perms(request) if GroupResult.objects.exists() else {}


def of_delivery(request: HttpRequest, delivery: Delivery) -> list[related.Section]:
    """The failed tasks that tried this delivery."""
    if not related.may_view(request, TaskResult):
        return []
    tried = delivery.attempt_log.filter(task_id__isnull=False).values_list("task_id", flat=True)
    ids = {str(task_id) for task_id in tried[: search.MAX_FOLLOWED]}
    found = TaskResult.objects.filter(task_id__in=ids).defer("traceback", "meta").order_by("id")
    columns = (_("Task result"), _("State"), _("Exception"), _("Given up"))
    rows = [
        (
            link(page_url(row), row.task_name or row.task_id),
            badge(row.status),
            short(": ".join(filter(None, _exception(row)))),
            exact(row.date_done),
        )
        for row in found[: related.LIMIT]
    ]
    return [related.Section(_("Task results"), columns, rows)] if rows else []


def of_dead_letter(request: HttpRequest, letter: DeadLetter) -> list[related.Section]:
    """The task that gave it up, with its traceback; none of what never came to a task."""
    if letter.event_id is None or not related.may_view(request, TaskResult):
        return []
    found = TaskResult.objects.filter(task_id=str(_task_of(letter)))
    columns = (_("Task result"), _("Given up"), _("Traceback"))
    rows = [
        (
            link(page_url(row), row.task_name or row.task_id),
            exact(row.date_done),
            block(row.traceback),
        )
        for row in found
    ]
    return [related.Section(_("Failed task"), columns, rows)] if rows else []


def _letter_of(row: Any) -> DeadLetter | None:
    """What was made of the message that the task had; asked for on the row's own page only."""
    about = event_id(row)
    letters = DeadLetter.objects.filter(event_id=about).defer("body", "attributes") if about else ()
    return next((each for each in letters if str(_task_of(each)) == row.task_id), None)


def _task_of(letter: DeadLetter) -> UUID:
    return task_id(letter.event_id or "", consumer_of(letter.queue), letter.message_id)


def event_id(row: Any) -> UUID | None:
    """The id of the event that the task was given; None for what is no event of ours.

    An event that no longer validates (its type has changed since) still says its id.
    """
    try:
        text = json.loads(row.task_args or "null")
        return envelope.read(text).id
    except NotificationError:
        found = _EVENT_ID.search(text.replace("\\", ""))
        return search.identifier(found[1]) if found else None
    except (TypeError, ValueError):
        return None


def _exception(row: Any) -> tuple[str, str]:
    """Class and message, from how Celery's backends store an exception."""
    try:
        stored = json.loads(row.result or "{}")
        message = stored["exc_message"]
        parts = message if isinstance(message, list) else [message]
        return str(stored["exc_type"]), " ".join(str(part) for part in parts if part)
    except (ValueError, TypeError, KeyError):
        return "", row.result or ""


def _unpacked(stored: Any) -> Any:
    """The arguments, out of the layers of JSON and `repr` that Celery stores them in."""
    value = stored
    for _layer in range(3):
        if not isinstance(value, str):
            break
        value = _parsed(value)
    return [_unpacked(entry) for entry in value] if isinstance(value, tuple | list) else value


def _parsed(text: str) -> Any:
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return text


def _shown(value: Any) -> SafeString | str:
    if not value:
        return EMPTY
    return block(value) if isinstance(value, str) else as_json(value)


def _uuids(texts: Iterable[str]) -> list[UUID]:
    return [found for text in texts if (found := search.identifier(text))]


for model, model_admin in ((TaskResult, TaskResultAdmin), (GroupResult, GroupResultAdmin)):
    admin.site.unregister(model)
    admin.site.register(model, model_admin)
