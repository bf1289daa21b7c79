"""What an operator may do about one delivery, at the press of a button."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import gettext_lazy as _

from notifications import delivery_discards, suppressions, unknowns
from notifications.admin.moves import Move
from notifications.models import Delivery


def _settle(state: Delivery.State) -> Callable[[Delivery, str, str], str]:
    def do(delivery: Delivery, by: str, reason: str) -> str:
        (answer,) = unknowns.settle([delivery.pk], state, by=by, reason=reason)
        return answer.why_not

    return do


def _discard(delivery: Delivery, by: str, reason: str) -> str:
    (answer,) = delivery_discards.discard([delivery.pk], by=by, reason=reason)
    return answer.why_not


def _suppress(delivery: Delivery, by: str, reason: str) -> str:
    """Its address, which nothing is sent to any more over its channel."""
    added = suppressions.suppress_address_of(delivery, by=by, note=reason)
    return "" if added else str(_("it was suppressed already"))


def _is_unknown(delivery: Delivery) -> bool:
    return delivery.state == Delivery.State.UNKNOWN


MOVES = (
    Move(
        "settle_sent",
        _("It was sent"),
        "settle_delivery",
        _settle(Delivery.State.SENT),
        _is_unknown,
    ),
    Move(
        "settle_failed",
        _("It was not sent"),
        "settle_delivery",
        _settle(Delivery.State.FAILED),
        _is_unknown,
    ),
    Move(
        "discard",
        _("Discard"),
        "discard_delivery",
        _discard,
        lambda delivery: not delivery_discards.why_not(delivery.state),
    ),
    Move(
        "suppress",
        _("Suppress its address"),
        "add_suppression",
        _suppress,
        lambda delivery: bool(delivery.address_hash),
    ),
)
