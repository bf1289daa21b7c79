"""Dead letters: what a consumer gave up on, as it came and why; discarded here, and restored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import causes, letter_discards, retention
from notifications.admin import columns, related, search
from notifications.admin.changelist import KeysetChangeList
from notifications.admin.display import (
    EMPTY,
    as_json,
    body,
    deadline,
    group_link,
    link,
    list_url,
    page_url,
    short,
    two_lines,
)
from notifications.admin.filters import (
    BetweenFilter,
    EventTypeFilter,
    QueueFilter,
    StateFilter,
    WithinFilter,
    chosen,
    queues,
)
from notifications.admin.moves import Move, MovingAdmin
from notifications.admin.reveal import RevealingAdmin, is_revealed
from notifications.admin.selection import Bulk, SelectingAdmin
from notifications.models import DeadLetter, Job, JobItem
from notifications.recipients import is_address
from notifications.redaction import redact
from notifications.redrive import queues_of, redrive_one

EXPORTED = (
    "id",
    "state",
    "reason",
    "error_class",
    "error",
    "fingerprint",
    "queue",
    "event_type",
    "event_id",
    "subject",
    "attempts",
    "created_at",
)
"""Columns of the file."""

MOST_NAMED = 200
"""Ids in the address of a confirmation."""


class DeadLetterStateFilter(StateFilter):
    states = DeadLetter.State
    default = DeadLetter.State.OPEN
    nothing = _("No dead letter kept here is open.")


def _redrive(letter: DeadLetter, by: str, reason: str) -> str:
    return redrive_one(letter, by=by, reason=reason)


def _discard(letter: DeadLetter, by: str, reason: str) -> str:
    return letter_discards.discard([letter.pk], by=by, reason=reason)[0].why_not


def _restore(letter: DeadLetter, by: str, reason: str) -> str:
    return letter_discards.restore([letter.pk], by=by, reason=reason)[0].why_not


class ConsumersQueueFilter(QueueFilter):
    """A consumer's name means all of its queues, as it does to a job: what is redriven and fails
    again comes back from the bulk queue."""

    def values(self) -> list[str]:
        return queues_of(super().values())


@admin.register(DeadLetter)
class DeadLetterAdmin(
    RevealingAdmin[DeadLetter], SelectingAdmin[DeadLetter], MovingAdmin[DeadLetter]
):
    """Opens on those that nobody has dealt with yet, the latest first."""

    list_display = ("state_badge", "reason_and_error", "queue_and_type", "order", "age", "attempts")
    list_display_links = None  # the reason leads to the letter, the order to all about it
    export_columns = EXPORTED
    list_filter = (
        DeadLetterStateFilter,
        ConsumersQueueFilter,
        EventTypeFilter,
        WithinFilter,
        BetweenFilter,
    )
    bulk = (
        Bulk(Job.Kind.REDRIVE, _("Redrive…"), "redrive_deadletter", "id"),
        Bulk(Job.Kind.DISCARD_LETTERS, _("Discard…"), "discard_deadletter", "id"),
        Bulk(Job.Kind.RESTORE_LETTERS, _("Restore…"), "discard_deadletter", "id"),
    )
    too_many = _("Choose the state in which they are: open or discarded; or search for fewer.")
    list_defer = ("body", "attributes")
    ordering = ("-id",)
    search_help_text = _(
        "Exactly one of: an order (123, #123 or order/123), an event's id, an SQS message id, "
        "a fingerprint."
    )
    fieldsets = (
        (
            _("Why it is here"),
            {
                "fields": (
                    ("state_badge", "why", "attempts"),
                    ("error_class", "group"),
                    "whole_error",
                )
            },
        ),
        (_("What"), {"fields": ("event_link", ("event_type", "order"), ("queue", "generation"))}),
        (_("When"), {"fields": (("first_seen", "last_seen", "created"),)}),
        (_("Ahead"), {"fields": (("redrivable", "deleted"),)}),
        (_("Who set its state"), {"fields": (("changed_by", "changed", "change_reason"),)}),
        (_("Message"), {"fields": ("message_id", "extra", "message")}),
    )

    moves = (
        Move(
            "redrive",
            _("Redrive"),
            "redrive_deadletter",
            _redrive,
            lambda letter: letter.state == DeadLetter.State.OPEN,
        ),
        Move(
            "discard",
            _("Discard"),
            "discard_deadletter",
            _discard,
            lambda letter: letter.state == DeadLetter.State.OPEN,
        ),
        Move(
            "restore",
            _("Restore"),
            "discard_deadletter",
            _restore,
            lambda letter: letter.state == DeadLetter.State.DISCARDED and not letter.is_wiped,
        ),
    )

    state_badge = columns.state()
    changed = columns.moment("changed_at", _("when"))
    order = columns.order(DeadLetter)
    event_link = columns.event()
    whole_error = columns.whole("error", _("error"))
    first_seen = columns.moment("first_seen_at", _("first seen"))
    last_seen = columns.moment("last_seen_at", _("last seen"))
    created = columns.moment("created_at", _("kept here since"))
    age = columns.age("created_at")

    def note(self, request: HttpRequest) -> SafeString:
        """Where the dead letters are that are not here yet, and what is not one."""
        return format_html(
            gettext(
                "The relays bring each consumer's dead-letter queue (DLQ) in SQS here within "
                "seconds; while no relay runs they wait there. The failures are under {}; "
                "{} has them by cause."
            ),
            _task_results(request),
            _failure_groups(),
        )

    def matching(self, term: str) -> Q:
        found = (
            Q(subject__in=search.subjects(term))
            | Q(fingerprint=term)
            | Q(queue__in=queues(), message_id=term)  # the unique key's first two columns
        )
        if identifier := search.identifier(term):
            found |= Q(event_id=identifier)
        return found

    def choices(self, request: HttpRequest, changelist: KeysetChangeList) -> list[dict[str, Any]]:
        """Without what cannot be done to letters of the state that is shown."""
        states = chosen(changelist).get("state", [])
        return [
            choice
            for choice in super().choices(request, changelist)
            if not states or _LEGAL[choice["kind"]] in states
        ]

    def wanted(self, changelist: KeysetChangeList) -> Mapping[str, Any]:
        wanted = chosen(changelist)
        states = wanted.pop("state", [])
        if len(states) != 1:
            return {}
        if term := changelist.query.strip():
            named = _named(changelist.queryset, term)
            return {**wanted, **named} if named else {}
        return wanted or {"until": timezone.now().isoformat()}

    def holds_personal_data(self, row: DeadLetter) -> bool:
        """Whoever wrote it may have put an address in it, though we would not."""
        said = bytes(row.body).decode(errors="backslashreplace") + json.dumps(row.attributes)
        return redact(said, limit=len(said)) != said.replace("\0", "")

    def related(self, request: HttpRequest, row: DeadLetter) -> list[related.Section]:
        others = related.of_event(request, row.event_id, but=[DeadLetter])
        return [*_failed_task(request, row), *related.mended(request, _jobs_of(row)), *others]

    @admin.display(description=_("reason, error"))
    def reason_and_error(self, letter: DeadLetter) -> SafeString:
        page = link(page_url(letter), letter.reason)
        return two_lines(page, short(letter.error or letter.error_class))

    @admin.display(description=_("queue, event type"))
    def queue_and_type(self, letter: DeadLetter) -> SafeString:
        return two_lines(letter.queue, letter.event_type or EMPTY)

    @admin.display(description=_("reason"))
    def why(self, letter: DeadLetter) -> SafeString:
        return two_lines(letter.reason, causes.sentence(letter))

    @admin.display(description=_("too old to be redriven"))
    def redrivable(self, letter: DeadLetter) -> SafeString | str:
        return deadline(retention.redrivable_until(letter))

    @admin.display(description=_("deleted"))
    def deleted(self, letter: DeadLetter) -> SafeString | str:
        over = retention.deleted_at(letter)
        return deadline(over) if over else gettext("not while it is open")

    @admin.display(description=_("group"))
    def group(self, letter: DeadLetter) -> SafeString | str:
        return group_link(letter.fingerprint)

    @admin.display(description=_("attributes"))
    def extra(self, letter: DeadLetter) -> SafeString | str:
        if not letter.attributes:
            return EMPTY
        return as_json(letter.attributes, revealed=is_revealed(letter))

    @admin.display(description=_("body"))
    def message(self, letter: DeadLetter) -> SafeString | str:
        return body(bytes(letter.body), revealed=is_revealed(letter))


_LEGAL = {
    Job.Kind.REDRIVE: DeadLetter.State.OPEN,
    Job.Kind.DISCARD_LETTERS: DeadLetter.State.OPEN,
    Job.Kind.RESTORE_LETTERS: DeadLetter.State.DISCARDED,
}


def _named(found: QuerySet[DeadLetter], term: str) -> dict[str, list[Any]]:
    """What a search has found, as a job's filter names it; nothing where that would be too long."""
    if is_address(term):  # no letter is found by one, and it belongs into no link
        return {}
    subjects = search.subjects(term)
    if not found.exclude(fingerprint=term).exists():
        return {"fingerprint": [term]}
    if not found.exclude(subject__in=subjects).exists():
        return {"subject": sorted(subjects)}
    ids = list(found.order_by("pk").values_list("pk", flat=True)[: MOST_NAMED + 1])
    return {"id": ids} if len(ids) <= MOST_NAMED else {}


def _jobs_of(letter: DeadLetter) -> QuerySet[JobItem]:
    return JobItem.objects.filter(dead_letter=letter)


def _failed_task(request: HttpRequest, letter: DeadLetter) -> list[related.Section]:
    """With its traceback."""
    if not apps.is_installed("django_celery_results"):
        return []
    from notifications.admin.failed_tasks import of_dead_letter

    return of_dead_letter(request, letter)


def _failure_groups() -> SafeString | str:
    """Named, and a link where the admin has the console. Whoever sees the list may follow it."""
    name = gettext("Failure groups")
    with suppress(NoReverseMatch):
        return link(reverse("admin:console_failures"), name)
    return name


def _task_results(request: HttpRequest) -> SafeString | str:
    """Named, and a link for whoever may follow it."""
    name = gettext("Task results")
    if not apps.is_installed("django_celery_results"):
        return name
    model = apps.get_model("django_celery_results", "TaskResult")
    return link(list_url(model), name) if related.may_view(request, model) else name
