"""The list of deliveries: its filters, how it is read, and the same rows as a job means them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications import fingerprints, newest
from notifications.admin import keyset, search
from notifications.admin.changelist import KeysetChangeList
from notifications.admin.filters import (
    BetweenFilter,
    ChannelFilter,
    ChoiceFilter,
    EventTypeFilter,
    StateFilter,
    WithinFilter,
    chosen,
)
from notifications.filters import moments
from notifications.models import Delivery

EXPORTED = (
    "id",
    "state",
    "reason",
    "channel",
    "event_type",
    "event_id",
    "subject",
    "recipient",
    "masked_address",
    "generation",
    "attempts",
    "said",
    "next_try_at",
    "provider",
    "provider_message_id",
    "template_version",
    "created_at",
    "sent_at",
    "finished_at",
)
"""Columns of the file."""


class DeliveryStateFilter(StateFilter):
    states = Delivery.State
    groups: ClassVar[Mapping[str, Sequence[str]]] = {
        "trouble": (
            Delivery.State.FAILED,
            Delivery.State.UNKNOWN,
            Delivery.State.BOUNCED,
            Delivery.State.COMPLAINED,
        )
    }
    """What does not mend itself."""

    def label(self, option: str) -> str:
        return gettext("needs a look") if option in self.groups else super().label(option)


class CauseFilter(ChoiceFilter):
    """Failures of one cause: those that its group counts. There is no choosing from all causes:
    the page of one leads here."""

    title = _("cause")
    parameter_name = "cause"
    column = "fingerprint"
    groups: ClassVar[Mapping[str, Sequence[str]]] = {fingerprints.NONE: ("",)}
    states = (Delivery.State.FAILED, Delivery.State.UNKNOWN)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = self.chosen(request)
        return [(chosen, chosen)] if chosen else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().queryset(request, queryset).filter(Delivery.FAILURE)


FILTERS = (
    DeliveryStateFilter,
    CauseFilter,
    ChannelFilter,
    EventTypeFilter,
    WithinFilter,
    BetweenFilter,
)


def reader(changelist: KeysetChangeList) -> keyset.Read:
    """A search has indexes of its own; filters may leave a few, or none, of millions."""
    found = chosen(changelist)
    kinds = {column: found[column] for column in newest.KIND if column in found}
    causes = found.get(CauseFilter.column)
    if changelist.query or not (kinds or causes):
        return keyset.read
    return newest.Wanted(kinds, **moments(found), causes=causes).read


def wanted(changelist: KeysetChangeList) -> Mapping[str, Any]:
    """What a resend's filter has to be, for the very same rows. Empty: it would be everybody."""
    found = chosen(changelist)
    if CauseFilter.column in found:
        states = found.get("state", CauseFilter.states)
        found["state"] = [state for state in states if state in CauseFilter.states]
        if not found["state"]:
            return {}
    if term := changelist.query.strip():
        return {**found, "named": search.deliveries(term)}
    return found if "state" in found else {}
