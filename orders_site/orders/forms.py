"""What an operator must say before orders are shipped, refunded or cancelled."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders_site.orders.models import Order, Refund
from orders_site.orders.money import CURRENCIES, MAX_AMOUNT, Money

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
    """Why, and how much of each order, in its own currency; all that can be, unless changed. It
    brings along how much that was, so that a second press of its button refunds nothing more."""

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
                max_digits=len(str(MAX_AMOUNT)),
                decimal_places=digits,
            )
            self.fields[self._left_of(order)] = forms.IntegerField(
                initial=left.amount, min_value=0, widget=forms.HiddenInput
            )

    def left(self, order: Order) -> Money:
        """What could still be refunded when the form was shown."""
        return Money(order.currency, self.cleaned_data[self._left_of(order)])

    def amount(self, order: Order) -> Money:
        """In whole minor units: the field takes no more decimal places than the currency has."""
        major: Decimal = self.cleaned_data[self._field(order)]
        return Money(order.currency, int(major.scaleb(CURRENCIES[order.currency].digits)))

    @staticmethod
    def _field(order: Order) -> str:
        return f"amount_{order.pk}"

    @staticmethod
    def _left_of(order: Order) -> str:
        return f"left_{order.pk}"


class CancelForm(forms.Form):
    """Why; it decides what the customer is told."""

    reason = forms.ChoiceField(label=_("Reason"), choices=Order.CancelReason.choices)

    def __init__(self, orders: Iterable[Order], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
