"""What an operator must say before orders are shipped, refunded or cancelled."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders_site.orders.models import Order, Refund
from orders_site.orders.money import CURRENCIES, Money

CARRIERS = ["DHL", "Royal Mail", "UPS", "PostNord", "Australia Post", "Yamato"]


class ShipForm(forms.Form):
    """A carrier for all, and a tracking code for each order."""

    carrier = forms.ChoiceField(label=_("Carrier"), choices=[(name, name) for name in CARRIERS])

    def __init__(self, orders: Iterable[Order], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for order in orders:
            self.fields[self._field(order)] = forms.CharField(
                label=gettext("Tracking code of order %(number)s") % {"number": order.pk},
                max_length=64,
            )

    def tracking_code(self, order: Order) -> str:
        return str(self.cleaned_data[self._field(order)])

    @staticmethod
    def _field(order: Order) -> str:
        return f"tracking_code_{order.pk}"


class RefundForm(forms.Form):
    """Why, and how much of each order, in its own currency; all that can be, unless changed."""

    reason = forms.ChoiceField(label=_("Reason"), choices=Refund.Reason.choices)

    def __init__(self, orders: Iterable[Order], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for order in orders:
            digits, left = CURRENCIES[order.currency].digits, order.refundable
            self.fields[self._field(order)] = forms.DecimalField(
                label=gettext("Amount of order %(number)s (%(currency)s, at most %(most)s)")
                % {"number": order.pk, "currency": order.currency, "most": left.major},
                initial=left.major,
                min_value=Decimal(1).scaleb(-digits),
                decimal_places=digits,
            )

    def amount(self, order: Order) -> Money:
        """In whole minor units: the field takes no more decimal places than the currency has."""
        major: Decimal = self.cleaned_data[self._field(order)]
        return Money(order.currency, int(major.scaleb(CURRENCIES[order.currency].digits)))

    @staticmethod
    def _field(order: Order) -> str:
        return f"amount_{order.pk}"


class CancelForm(forms.Form):
    """Why; it decides what the customer is told."""

    reason = forms.ChoiceField(label=_("Reason"), choices=Order.CancelReason.choices)

    def __init__(self, orders: Iterable[Order], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
