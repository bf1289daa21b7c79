"""Deliveries: who was told what over which channel, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from notifications import edits
from notifications.admin import (
    columns,
    delivery_facts,
    delivery_list,
    delivery_timeline,
    keyset,
    reasons,
    related,
    reveal,
    search,
    words,
)
from notifications.admin.changelist import KeysetChangeList
from notifications.admin.delivery_moves import MOVES
from notifications.admin.display import (
    EMPTY,
    ago,
    as_json,
    badge,
    block,
    due,
    group_link,
    link,
    list_url,
    page_url,
    recipient,
    short,
    span,
    subject_link,
    two_lines,
    version_url,
)
from notifications.admin.related import Section
from notifications.admin.resending import ResendingAdmin
from notifications.admin.selection import Bulk, SelectingAdmin
from notifications.models import (
    Delivery,
    DigestItem,
    Dispatch,
    Event,
    Handled,
    Job,
    JobItem,
    TemplateVersion,
)
from notifications.redaction import redact
from notifications.resend import named


@admin.register(Delivery)
class DeliveryAdmin(SelectingAdmin[Delivery], ResendingAdmin):
    change_form_template = "admin/notifications/delivery/page.html"
    personal = ("address",)
    bulk = (
        Bulk(Job.Kind.RESEND, _("Send again…"), "resend_delivery", "delivery"),
        Bulk(Job.Kind.DISCARD_DELIVERIES, _("Discard…"), "discard_delivery", "delivery"),
    )
    too_many = _("Choose a state, or search: it would be all that anybody was ever told.")
    moves = MOVES
    list_display = ("state_and_age", "what", "who", "channel_and_tries", "why_and_id")
    list_display_links = None  # the event leads to the delivery, the order to all about it
    list_filter = delivery_list.FILTERS
    export_columns = delivery_list.EXPORTED
    ordering = ("-created_at", "-id")
    search_help_text = _(
        "Exactly one of: an order (123, #123 or order/123), a person (customer/42), an e-mail "
        "address, a phone number, a provider's message id, an event's or a delivery's id. "
        "An e-mail address or a phone number finds only what was sent there; customer/42 "
        "finds everything."
    )
    state_badge = columns.state()
    shown_address = reveal.column("address", _("address"))
    order = columns.order(Delivery)
    event_link = columns.event()
    insisted = columns.short("override", _("override"))

    def get_fieldsets(self, request: HttpRequest, obj: Delivery | None = None) -> Any:
        """What there is to say of this one; the timeline says the rest."""
        return [(None, {"fields": delivery_facts.of(obj)})]

    def matching(self, term: str) -> Q:
        return named(search.deliveries(term))

    def reader(self, changelist: KeysetChangeList) -> keyset.Read:
        return delivery_list.reader(changelist)

    def wanted(self, changelist: KeysetChangeList) -> Mapping[str, Any]:
        return delivery_list.wanted(changelist)

    def related(self, request: HttpRequest, row: Delivery) -> list[related.Section]:
        others = Delivery.objects.filter(event_id=row.event_id).exclude(pk=row.pk)
        return [
            *_failed_tasks(request, row),
            *_digest(request, row),
            *related.deliveries(
                request,
                others,
                title=_("Other deliveries of this event"),
                more=list_url(Delivery, q=str(row.event_id)),
            ),
            *related.of_event(request, row.event_id, but=[Delivery, Dispatch, Handled, JobItem]),
        ]

    def audited(self, request: HttpRequest, row: Delivery) -> list[Section]:
        return []  # it is in the timeline

    def page_context(self, request: HttpRequest, row: Delivery) -> dict[str, Any]:
        return {
            "pages": self.pages_of(request, row),
            "lines": delivery_timeline.lines(request, row),
            "said": words.said(request, row),
            "is_kept": words.is_kept(row),
            **_payload(request, row),
        }

    @admin.display(description=_("state, age, next try"))
    def state_and_age(self, delivery: Delivery) -> SafeString:
        state = two_lines(badge(delivery.state), ago(delivery.created_at))
        waits = delivery.state in Delivery.OPEN and delivery.next_try_at
        return two_lines(state, due(delivery.next_try_at)) if waits else state

    @admin.display(description=_("event, order"))
    def what(self, delivery: Delivery) -> SafeString:
        page = link(page_url(delivery), delivery.event_type)
        return two_lines(page, subject_link(Delivery, delivery.subject))

    @admin.display(description=_("recipient"))
    def who(self, delivery: Delivery) -> SafeString:
        return recipient(delivery)

    @admin.display(description=_("channel, tries"))
    def channel_and_tries(self, delivery: Delivery) -> SafeString:
        tries = ngettext("%(count)d try", "%(count)d tries", delivery.attempts)
        return two_lines(delivery.channel, tries % {"count": delivery.attempts})

    @admin.display(description=_("why, provider's id"))
    def why_and_id(self, delivery: Delivery) -> SafeString:
        why = short(delivery.last_error or delivery.reason, address=delivery.address)
        return two_lines(why, delivery.provider_message_id)

    @admin.display(description=_("group"))
    def group(self, delivery: Delivery) -> SafeString | str:
        return group_link(delivery.fingerprint)

    @admin.display(description=_("error"))
    def said(self, delivery: Delivery) -> str:
        return redact(delivery.last_error, address=delivery.address)

    @admin.display(description=_("reason"))
    def reason_told(self, delivery: Delivery) -> SafeString | str:
        told = reasons.sentence(delivery)
        return two_lines(delivery.reason, told) if delivery.reason else told or EMPTY

    @admin.display(description=_("next try"))
    def next_try(self, delivery: Delivery) -> SafeString | str:
        return due(delivery.next_try_at) if delivery.state in Delivery.OPEN else EMPTY

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


def _payload(request: HttpRequest, row: Delivery) -> dict[str, Any]:
    """The facts of its event, as they are recorded, for who may view events; what is sensitive,
    once it is revealed."""
    event = Event.objects.filter(pk=row.event_id).first()
    if event is None or not related.may_view(request, Event):
        return {}
    seen = event.data if reveal.is_revealed(row) else edits.masked(event.type, event.data)
    return {"payload": as_json(seen), "edited": ", ".join(edits.of(row))}


def _failed_tasks(request: HttpRequest, row: Delivery) -> list[related.Section]:
    if not apps.is_installed("django_celery_results"):
        return []
    from notifications.admin.failed_tasks import of_delivery

    return of_delivery(request, row)
