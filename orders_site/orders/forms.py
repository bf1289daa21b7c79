"""What an operator must say before orders are shipped or cancelled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from orders_site.orders.models import Order

CARRIERS = ["DHL", "Royal Mail", "UPS", "PostNord", "Australia Post", "Yamato"]


class ShipForm(forms.Form):
    """A carrier for all, and a tracking code for each order."""

    carrier = forms.ChoiceField(choices=[(name, name) for name in CARRIERS])

    def __init__(self, orders: Iterable[Order], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for order in orders:
            self.fields[self._field(order)] = forms.CharField(
                label=f"Tracking code of order {order.pk}", max_length=64
            )

    def tracking_code(self, order: Order) -> str:
        return str(self.cleaned_data[self._field(order)])

    @staticmethod
    def _field(order: Order) -> str:
        return f"tracking_code_{order.pk}"


class CancelForm(forms.Form):
    """Why; it decides what the customer is told."""

    reason = forms.ChoiceField(choices=Order.CancelReason.choices)

    def __init__(self, orders: Iterable[Order], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
