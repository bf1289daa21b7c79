"""Dead letters: what a consumer gave up on, as it came and why; discarded here, and restored."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import causes, discards, retention
from notifications.admin import columns, related, search
from notifications.admin.display import (
    EMPTY,
    as_json,
    body,
    due,
    link,
    list_url,
    short,
    two_lines,
)
from notifications.admin.filters import (
    EventTypeFilter,
    QueueFilter,
    StateFilter,
    WithinFilter,
    queues,
)
from notifications.admin.moves import Move, MovingAdmin
from notifications.models import DeadLetter


class DeadLetterStateFilter(StateFilter):
    states = DeadLetter.State
    default = DeadLetter.State.OPEN
    nothing = _("No dead letter kept here is open.")


def _discard(letter: DeadLetter, by: str, reason: str) -> str:
    return discards.discard([letter.pk], by=by, reason=reason)[0].why_not


def _restore(letter: DeadLetter, by: str, reason: str) -> str:
    return discards.restore([letter.pk], by=by, reason=reason)[0].why_not


@admin.register(DeadLetter)
class DeadLetterAdmin(MovingAdmin[DeadLetter]):
    """Opens on those that nobody has dealt with yet, the latest first."""

    list_display = (
        "state_badge",
        "reason",
        "queue",
        "event_type",
        "order",
        "error_short",
        "attempts",
        "age",
    )
    list_display_links = ("reason",)
    list_filter = (DeadLetterStateFilter, QueueFilter, EventTypeFilter, WithinFilter)
    list_defer = ("body", "attributes")
    ordering = ("-id",)
    search_help_text = _(
        "Exactly one of: an order (123, #123 or order/123), an event's id, an SQS message id, "
        "a fingerprint."
    )
    fieldsets = (
        (
            _("Why it is here"),
            {"fields": (("state_badge", "why", "attempts"), "error_class", "whole_error")},
        ),
        (_("What"), {"fields": ("event_link", ("event_type", "order"), ("queue", "generation"))}),
        (_("When"), {"fields": (("first_seen", "last_seen", "created"),)}),
        (_("Ahead"), {"fields": (("redrivable", "deleted"),)}),
        (_("Who set its state"), {"fields": (("changed_by", "changed", "change_reason"),)}),
        (_("Message"), {"fields": ("message_id", "fingerprint", "extra", "message")}),
    )

    moves = (
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
            lambda letter: letter.state == DeadLetter.State.DISCARDED,
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
                "seconds; while no relay runs they wait there. The failures are under {}."
            ),
            _task_results(request),
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

    def related(self, request: HttpRequest, row: DeadLetter) -> list[related.Section]:
        return related.of_event(request, row.event_id, but=[DeadLetter])

    @admin.display(description=_("error"))
    def error_short(self, letter: DeadLetter) -> str:
        return short(letter.error or letter.error_class)

    @admin.display(description=_("reason"))
    def why(self, letter: DeadLetter) -> SafeString:
        return two_lines(letter.reason, causes.sentence(letter))

    @admin.display(description=_("too old to be redriven"))
    def redrivable(self, letter: DeadLetter) -> SafeString | str:
        return due(retention.redrivable_until(letter))

    @admin.display(description=_("deleted"))
    def deleted(self, letter: DeadLetter) -> SafeString | str:
        over = retention.deleted_at(letter)
        return due(over) if over else gettext("not while it is open")

    @admin.display(description=_("attributes"))
    def extra(self, letter: DeadLetter) -> SafeString | str:
        return as_json(letter.attributes) if letter.attributes else EMPTY

    @admin.display(description=_("body"))
    def message(self, letter: DeadLetter) -> SafeString | str:
        return body(bytes(letter.body))


def _task_results(request: HttpRequest) -> SafeString | str:
    """Named, and a link for whoever may follow it."""
    name = gettext("Task results")
    if not apps.is_installed("django_celery_results"):
        return name
    model = apps.get_model("django_celery_results", "TaskResult")
    return link(list_url(model), name) if related.may_view(request, model) else name
