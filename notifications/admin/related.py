"""The tables below the facts: what else there is about the same event, a page's length at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.contrib.auth import get_permission_codename
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.admin.display import (
    EMPTY,
    SENTENCE,
    age,
    badge,
    exact,
    link,
    list_url,
    page_url,
    recipient,
    short,
    subject_link,
)
from notifications.models import (
    Announcement,
    AnnouncementEntry,
    Attempt,
    AuditEntry,
    DeadLetter,
    Delivery,
    Dispatch,
    Handled,
    Job,
    JobEntry,
    JobItem,
    Lane,
    Receipt,
)

LIMIT = 50
Row = TypeVar("Row", bound=Model)
Label = str | Promise

_LISTED: dict[type[Model], type[Model]] = {
    JobItem: Job,
    JobEntry: Job,
    AnnouncementEntry: Announcement,
    Lane: Announcement,
}
"""What has no page of its own stands on another's: whoever may view that may view these."""


@dataclass(frozen=True)
class Section:
    """One table. `more` is the address of the whole list, when this is only its beginning."""

    title: Label
    columns: Sequence[Label]
    rows: Sequence[Sequence[object]]
    more: str = ""


def may_view(request: HttpRequest, model: type[Model]) -> bool:
    name = get_permission_codename("view", model._meta)
    return request.user.has_perm(f"{model._meta.app_label}.{name}")


def deliveries(
    request: HttpRequest, found: QuerySet[Delivery], *, more: str = "", title: Label = ""
) -> list[Section]:
    columns = (_("Delivery"), _("Channel"), _("Recipient"), _("State"), _("Attempts"), _("Error"))

    def cells(row: Delivery) -> Sequence[object]:
        return (
            link(page_url(row), row.event_type),
            row.channel,
            recipient(row),
            badge(row.state),
            row.attempts,
            short(row.last_error or row.reason, address=row.address),
        )

    found = found.order_by("id")
    return section(request, title or _("Deliveries"), columns, found, cells, more)


def dispatches(request: HttpRequest, found: QuerySet[Dispatch], *, more: str = "") -> list[Section]:
    columns = (_("Dispatch"), _("Why"), _("State"), _("Not before"), _("Published"), _("Error"))

    def cells(row: Dispatch) -> Sequence[object]:
        return (
            link(page_url(row), f"{row.kind} {row.destination}"),
            row.get_reason_display(),
            badge(row.state),
            exact(row.available_at),
            exact(row.published_at),
            short(row.last_error),
        )

    found = found.order_by("id").defer("body", "attributes")
    return section(request, _("Dispatches"), columns, found, cells, more)


def handled(request: HttpRequest, found: QuerySet[Handled], *, more: str = "") -> list[Section]:
    columns = (_("Consumer"), _("Outcome"), _("Attempts"), _("Received"), _("Done"), _("Error"))

    def cells(row: Handled) -> Sequence[object]:
        return (
            link(page_url(row), row.consumer),
            badge(row.outcome),
            row.attempts,
            exact(row.received_at),
            exact(row.done_at),
            short(row.last_error),
        )

    return section(request, _("Handled by"), columns, found.order_by("consumer"), cells, more)


def dead_letters(
    request: HttpRequest, found: QuerySet[DeadLetter], *, more: str = ""
) -> list[Section]:
    columns = (_("Dead letter"), _("Queue"), _("Order"), _("State"), _("Error"), _("Age"))

    def cells(row: DeadLetter) -> Sequence[object]:
        return (
            link(page_url(row), row.reason),
            row.queue,
            subject_link(DeadLetter, row.subject),
            badge(row.state),
            short(row.error or row.error_class),
            age(row.created_at),
        )

    found = found.order_by("id").defer("body", "attributes")
    return section(request, _("Dead letters"), columns, found, cells, more)


def attempts(request: HttpRequest, found: QuerySet[Attempt]) -> list[Section]:
    columns = (_("Delivery"), _("Attempt"), _("Outcome"), _("Code"), _("Started"), _("Detail"))

    def cells(row: Attempt) -> Sequence[object]:
        return (
            link(page_url(row.delivery), row.delivery),
            f"{row.generation}.{row.number}",
            badge(row.outcome),
            row.code or EMPTY,
            exact(row.started_at),
            short(row.detail, address=row.delivery.address),
        )

    found = found.select_related("delivery").order_by("id")
    return section(request, _("Attempts"), columns, found, cells)


def receipts(
    request: HttpRequest, found: QuerySet[Receipt], *, more: str = "", title: Label = ""
) -> list[Section]:
    columns = (
        *(_("Receipt"), _("Attempt"), _("Provider"), _("Code"), _("By the provider's clock")),
        *(_("Received"), _("Made it"), _("Detail")),
    )

    def cells(row: Receipt) -> Sequence[object]:
        return (
            link(page_url(row), row.get_kind_display()),
            f"{row.generation}.{row.number}",
            row.provider,
            row.code or EMPTY,
            exact(row.occurred_at),
            exact(row.received_at),
            badge(row.moved_to) if row.moved_to else EMPTY,
            short(row.detail),
        )

    found = found.order_by("occurred_at", "received_at")
    return section(request, title or _("Receipts"), columns, found, cells, more)


def mended(
    request: HttpRequest, found: QuerySet[JobItem], *, more: str = "", by_job: bool = False
) -> list[Section]:
    """What jobs made of their items. by_job: all of one job, so that each says what it is."""
    columns = (_("About") if by_job else _("Job"), _("Outcome"), _("Why"), _("When"), _("Who"))

    def cells(row: JobItem) -> Sequence[object]:
        return (
            item_link(row) if by_job else link(page_url(row.job), row.job),
            badge(row.outcome),
            short(row.why, most=SENTENCE),
            exact(row.moved_at),
            row.job.actor,
        )

    found = found.select_related("job").order_by("id")
    return section(request, _("Items") if by_job else _("Mended"), columns, found, cells, more)


def item_link(item: JobItem) -> object:
    """What the item is about, leading to its page."""
    about = (
        ("delivery", item.delivery_id),
        ("deadletter", item.dead_letter_id),
        ("event", item.event_id),
        ("dispatch", item.dispatch_id),
    )
    name, key = next((each for each in about if each[1]), ("", None))
    text = item.subject or key or item.pk
    return link(reverse(f"admin:notifications_{name}_change", args=[key]), text) if name else text


def of_event(
    request: HttpRequest, event_id: UUID | None, *, but: Iterable[type[Model]] = ()
) -> list[Section]:
    """Everything known about one event, table by table, without the tables named in `but`."""
    if event_id is None:
        return []
    term = str(event_id)
    tables: list[tuple[type[Model], Callable[..., list[Section]], QuerySet[Any]]] = [
        (Delivery, deliveries, Delivery.objects.filter(event_id=event_id)),
        (Handled, handled, Handled.objects.filter(event_id=event_id)),
        (Dispatch, dispatches, Dispatch.objects.filter(event_id=event_id)),
        (DeadLetter, dead_letters, DeadLetter.objects.filter(event_id=event_id)),
        (JobItem, mended, JobItem.objects.filter(event_id=event_id)),
    ]
    return [
        section
        for model, table, found in tables
        if model not in but
        for section in table(request, found, more=list_url(_LISTED.get(model, model), q=term))
    ]


def audited(request: HttpRequest, row: Model) -> list[Section]:
    """What was done to this row, by its entries in the audit; the latest first."""
    columns = (_("When"), _("What"), _("Who"), _("Reason"))

    def cells(entry: AuditEntry) -> Sequence[object]:
        what = link(page_url(entry), entry.action)
        return exact(entry.at), what, entry.actor or EMPTY, short(entry.reason)

    about = {"target_kind": row._meta.model_name, "target": str(row.pk)}
    found = AuditEntry.objects.filter(**about).order_by("-id").defer("before", "after")
    more = list_url(AuditEntry, q=str(row.pk))
    return section(request, _("Audit"), columns, found, cells, more)


def section(
    request: HttpRequest,
    title: Label,
    columns: Sequence[Label],
    found: QuerySet[Row],
    cells: Callable[[Row], Sequence[object]],
    more: str = "",
) -> list[Section]:
    """The first rows of `found` as a table; none for who may not view them."""
    if not may_view(request, _LISTED.get(found.model, found.model)):
        return []
    rows = list(found[: LIMIT + 1])
    if not rows:
        return []
    return [
        Section(
            title,
            columns,
            [cells(row) for row in islice(rows, LIMIT)],
            more=more if len(rows) > LIMIT else "",
        )
    ]
