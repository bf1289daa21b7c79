"""The list of deliveries: its filters, how it is read, and the same rows as a job means them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext

from notifications import newest
from notifications.admin import keyset, search
from notifications.admin.changelist import KeysetChangeList
from notifications.admin.filters import (
    BetweenFilter,
    ChannelFilter,
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


FILTERS = (DeliveryStateFilter, ChannelFilter, EventTypeFilter, WithinFilter, BetweenFilter)


def reader(changelist: KeysetChangeList) -> keyset.Read:
    """A search has indexes of its own; filters may leave a few, or none, of millions."""
    found = chosen(changelist)
    kinds = {column: found[column] for column in newest.KIND if column in found}
    if changelist.query or not kinds:
        return keyset.read
    return newest.Wanted(kinds, **moments(found)).read


def wanted(changelist: KeysetChangeList) -> Mapping[str, Any]:
    """What a resend's filter has to be, for the very same rows. Empty: it would be everybody."""
    found = chosen(changelist)
    if term := changelist.query.strip():
        return {**found, "named": search.deliveries(term)}
    return found if "state" in found else {}
