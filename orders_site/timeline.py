"""What the shop itself knows of an order, for its timeline (NOTIFICATIONS["TIMELINE"]).

Each app that has something to tell of a subject is a function here: the rows it asks for by one
query or two, and an entry for each moment. It is asked for every subject, and says nothing of
those that are not its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from notifications.timeline_entries import Entry, Kind
from orders_site.orders.models import Order

_ORDER = re.compile(r"order/([1-9][0-9]{0,17})\Z")


def entries(subject: str) -> Iterator[Entry]:
    """Everything that the shop's apps have on record of it, in any order."""
    for of_app in _APPS:
        yield from of_app(subject)


def _of_order(subject: str) -> Iterator[Entry]:
    found = _ORDER.match(subject)
    order = Order.objects.filter(pk=found[1]).first() if found else None
    if order is None:
        return
    refunds = list(order.refunds.select_related("order").order_by("pk"))
    ids = {"order": str(order.pk)}
    yield Entry(order.placed_at, Kind.SHOP, "order placed", order.total.format("en"), ids=ids)
    if order.shipped_at:
        parcel = f"{order.carrier} {order.tracking_code}".strip()
        yield Entry(order.shipped_at, Kind.SHOP, "order shipped", parcel, ids=ids)
    if order.cancelled_at:
        why = order.get_cancel_reason_display()
        yield Entry(order.cancelled_at, Kind.SHOP, "order cancelled", why, ids=ids)
    for refund in refunds:
        detail = f"{refund.amount.format('en')}: {refund.get_reason_display()}"
        named = {**ids, "refund": str(refund.pk)}
        yield Entry(refund.refunded_at, Kind.SHOP, "refund owed", detail, ids=named)


_APPS = (_of_order,)
