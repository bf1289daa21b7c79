"""Deliveries: who was told what over which channel, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from notifications.admin import columns, reasons, related, search
from notifications.admin.display import (
    EMPTY,
    badge,
    block,
    due,
    link,
    list_url,
    page_url,
    recipient,
    short,
    span,
    two_lines,
    version_url,
)
from notifications.admin.filters import ChannelFilter, EventTypeFilter, StateFilter, WithinFilter
from notifications.admin.moves import Move, MovingAdmin
from notifications.models import (
    Attempt,
    Delivery,
    DigestItem,
    Receipt,
    RenderedContent,
    TemplateVersion,
)
from notifications.resend import CURRENT, ORIGINAL, resend_one, under_way

if TYPE_CHECKING:
    _AttemptInline = admin.TabularInline[Attempt, Delivery]
else:
    _AttemptInline = admin.TabularInline


class DeliveryStateFilter(StateFilter):
    states = Delivery.State


class AttemptInline(_AttemptInline):
    """Every try, in the order in which they were made."""

    model = Attempt
    verbose_name_plural = _("attempts, in order")
    template = "admin/notifications/attempts.html"
    ordering = ("id",)
    fields = (
        "try_number",
        "state",
        "code",
        "said",
        "started",
        "took",
        "worker",
        "provider_message_id",
    )
    readonly_fields = fields
    can_delete = False
    empty_value_display = EMPTY

    state = columns.state("outcome", _("outcome"))
    started = columns.moment("started_at", _("started"))

    def has_add_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        return super().get_queryset(request).select_related("delivery")

    @admin.display(description=_("attempt"))
    def try_number(self, attempt: Attempt) -> str:
        return f"{attempt.generation}.{attempt.number}"

    @admin.display(description=_("detail"))
    def said(self, attempt: Attempt) -> SafeString | str:
        return block(attempt.detail, address=attempt.delivery.address)

    @admin.display(description=_("took"))
    def took(self, attempt: Attempt) -> str:
        length = attempt.duration_ms
        return span(None if length is None else timedelta(milliseconds=length))


def _again(text: str) -> Callable[[Delivery, str, str], str]:
    return lambda delivery, by, reason: resend_one(delivery, by=by, reason=reason, text=text)


def _at_rest(delivery: Delivery) -> bool:
    return not under_way(delivery.state, delivery.next_try_at)


def _at_rest_and_kept(delivery: Delivery) -> bool:
    return _at_rest(delivery) and RenderedContent.objects.filter(delivery=delivery).exists()


@admin.register(Delivery)
class DeliveryAdmin(MovingAdmin[Delivery]):
    moves = (
        Move("resend", _("Send again"), "resend_delivery", _again(CURRENT), _at_rest),
        Move(
            "resend_original",
            _("Send the original text again"),
            "resend_delivery",
            _again(ORIGINAL),
            _at_rest_and_kept,
        ),
    )
    list_display = ("state_and_due", "what", "who", "channel_and_tries", "why", "age")
    list_display_links = None  # the event leads to the delivery, the order to all about it
    list_filter = (DeliveryStateFilter, ChannelFilter, EventTypeFilter, WithinFilter)
    ordering = ("-created_at", "-id")
    search_help_text = _(
        "Exactly one of: an order (123, #123 or order/123), a person (customer/42), an e-mail "
        "address, a phone number, a provider's message id, an event's or a delivery's id. "
        "An e-mail address or a phone number finds only what was sent there; customer/42 "
        "finds everything."
    )
    inlines = (AttemptInline,)
    fieldsets = (
        (
            _("What"),
            {"fields": ("event_link", ("event_type", "order"), ("channel", "route", "generation"))},
        ),
        (_("Who"), {"fields": (("recipient", "masked", "locale"),)}),
        (
            _("State"),
            {
                "fields": (
                    ("state_badge", "attempts", "next_try"),
                    "reason_told",
                    "whole_error",
                    "insisted",
                )
            },
        ),
        (_("When"), {"fields": (("happened", "created", "started"), ("sent", "finished", "lag"))}),
        (_("Provider"), {"fields": (("provider", "provider_message_id", "template", "original"),)}),
    )

    state_badge = columns.state()
    order = columns.order(Delivery)
    event_link = columns.event()
    happened = columns.moment("event_time", _("event happened"))
    insisted = columns.short("override", _("override"))
    created = columns.moment("created_at", _("created"))
    started = columns.moment("started_at", _("first claimed"))
    sent = columns.moment("sent_at", _("accepted by the provider"))
    finished = columns.moment("finished_at", _("reached its last state"))
    age = columns.age("created_at")

    def matching(self, term: str) -> Q:
        found = (
            Q(subject__in=search.subjects(term))
            | search.told(term)
            | Q(provider_message_id=term)
            | Q(address_hash__in=search.addresses(term))
        )
        if identifier := search.identifier(term):
            found |= Q(pk=identifier) | Q(event_id=identifier)
        return found

    def related(self, request: HttpRequest, row: Delivery) -> list[related.Section]:
        others = Delivery.objects.filter(event_id=row.event_id).exclude(pk=row.pk)
        return [
            *related.receipts(
                request,
                Receipt.objects.filter(delivery_id=row.pk),
                more=list_url(Receipt, q=str(row.pk)),
            ),
            *_failed_tasks(request, row),
            *_digest(request, row),
            *related.deliveries(
                request,
                others,
                title=_("Other deliveries of this event"),
                more=list_url(Delivery, q=str(row.event_id)),
            ),
            *related.of_event(request, row.event_id, but=[Delivery]),
        ]

    @admin.display(description=_("state, next try"))
    def state_and_due(self, delivery: Delivery) -> SafeString:
        waits = delivery.state in Delivery.OPEN and delivery.next_try_at
        return two_lines(badge(delivery.state), due(delivery.next_try_at) if waits else "")

    @admin.display(description=_("event, order"))
    def what(self, delivery: Delivery) -> SafeString:
        page = link(page_url(delivery), delivery.event_type)
        return two_lines(page, link(list_url(Delivery, q=delivery.subject), delivery.subject))

    @admin.display(description=_("recipient"))
    def who(self, delivery: Delivery) -> SafeString:
        return recipient(delivery)

    @admin.display(description=_("channel, tries"))
    def channel_and_tries(self, delivery: Delivery) -> SafeString:
        tries = ngettext("%(count)d try", "%(count)d tries", delivery.attempts)
        return two_lines(delivery.channel, tries % {"count": delivery.attempts})

    @admin.display(description=_("why"))
    def why(self, delivery: Delivery) -> str:
        return short(delivery.last_error or delivery.reason, address=delivery.address)

    @admin.display(description=_("reason"))
    def reason_told(self, delivery: Delivery) -> SafeString | str:
        told = reasons.sentence(delivery)
        return two_lines(delivery.reason, told) if delivery.reason else told or EMPTY

    @admin.display(description=_("next try"))
    def next_try(self, delivery: Delivery) -> SafeString | str:
        return due(delivery.next_try_at) if delivery.state in Delivery.OPEN else EMPTY

    @admin.display(description=_("address"))
    def masked(self, delivery: Delivery) -> str:
        return delivery.masked_address or EMPTY

    @admin.display(description=_("template version"))
    def template(self, delivery: Delivery) -> SafeString | str:
        """The version that staff published leads to its page; files are named by their hash."""
        label = delivery.template_version or ""
        version = TemplateVersion.objects.labelled(label)
        return link(version_url(version), label) if version else label or EMPTY

    @admin.display(description=_("last error"))
    def whole_error(self, delivery: Delivery) -> SafeString | str:
        return block(delivery.last_error, address=delivery.address)

    @admin.display(description=_("from event to provider"))
    def lag(self, delivery: Delivery) -> str:
        return span(delivery.sent_at - delivery.event_time if delivery.sent_at else None)


def _digest(request: HttpRequest, row: Delivery) -> list[related.Section]:
    """The digest in which it was told, or what was told in it. Most are neither."""
    told_in = DigestItem.objects.filter(delivery=row).values("digest_id")
    items = DigestItem.objects.filter(digest_id=row.event_id).values("delivery_id")
    return [
        *related.deliveries(
            request,
            Delivery.objects.filter(event_id__in=told_in),
            title=_("The digest that tells it"),
            more=list_url(Delivery, q=row.recipient),
        ),
        *related.deliveries(
            request,
            Delivery.objects.filter(pk__in=items),
            title=_("What is told in this digest"),
            more=list_url(Delivery, q=row.recipient),
        ),
    ]


def _failed_tasks(request: HttpRequest, row: Delivery) -> list[related.Section]:
    if not apps.is_installed("django_celery_results"):
        return []
    from notifications.admin.failed_tasks import of_delivery

    return of_delivery(request, row)
