"""Who is told about an order, what the templates may say, and whether it still holds.

The hooks of the NOTIFICATIONS setting. They run once per event and channel, or once per
recipient, so each costs one query or two, whatever the order's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.utils import timezone, translation
from django.utils.formats import date_format

from notifications import webhooks
from notifications.conf import Route
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.recipients import Recipient
from orders_site.customers.models import Customer, Device
from orders_site.customers.services import forget_customer
from orders_site.orders.models import Order, OrderLine, Refund
from orders_site.orders.money import Money
from orders_site.payments.models import Payment

NEWS = "shop.news"

_UNTRUE_ONCE_CANCELLED = frozenset({"order.created", "order.shipped", "payment.failed"})
_UNTRUE_OF_PAYMENTS: dict[str, tuple[list[Payment.State], str]] = {
    "payment.failed": ([Payment.State.COMPLETED], "the order was paid"),
    "order.refunded": ([Payment.State.FAILED, Payment.State.VOID], "nothing was paid"),
}


def resolve(envelope: Envelope, route: Route) -> Iterator[Recipient]:
    """The customer of the order, or whom the news is for; for push, each of their devices; for
    webhooks, partners.

    Somebody without an address is named all the same, so that the skip is on record.
    """
    if route.channel == webhooks.CHANNEL:
        yield from webhooks.recipients(envelope)
        return
    customer = _reader(envelope) if envelope.type == NEWS else _order(envelope).customer
    devices = list(customer.devices.order_by("pk")) if route.channel == "push" else []
    if devices:
        yield from (_recipient(customer, route.channel, device) for device in devices)
    else:
        yield _recipient(customer, route.channel)


def context(envelope: Envelope, recipient: Recipient) -> dict[str, Any]:
    """What every template may use, already in the words and figures of the recipient's locale."""
    if envelope.type == NEWS:
        return _news(envelope, recipient)
    order = _order(envelope)
    locale = _spoken(recipient.locale)
    lines = list(order.lines.order_by("pk"))
    order_url = f"{settings.SHOP['url']}/orders/{order.pk}"
    return {
        "shop": settings.SHOP,
        "first_name": order.customer.first_name,
        "order_number": str(order.pk),
        "order_url": order_url,
        "placed_on": _day(order, locale, recipient.time_zone),
        "lines": [_line(line, locale) for line in lines],
        "item_count": sum(line.quantity for line in lines),
        "total": order.total.format(locale),
        "carrier": envelope.data.get("carrier") or order.carrier,
        "tracking_code": order.tracking_code,
        "tracking_url": f"{order_url}/tracking",
        "cancel_reason": order.cancel_reason,
        **_money_words(envelope, order, locale),
    }


def no_longer_true(envelope: Envelope) -> str | None:
    """Why it should not be told any more: nobody wants to hear that a cancelled order is coming, or
    that money goes back which was never taken."""
    if envelope.type == NEWS:
        return "the offer is over" if _last_day(envelope) < timezone.localdate() else None
    order_id = _order_id(envelope)
    if envelope.type in _UNTRUE_ONCE_CANCELLED:
        cancelled = Order.objects.filter(pk=order_id, state=Order.State.CANCELLED)
        if cancelled.exists():
            return "the order was cancelled"
    untrue = _UNTRUE_OF_PAYMENTS.get(envelope.type)
    if untrue is None:
        return None
    states, why = untrue
    return why if Payment.objects.filter(order_id=order_id, state__in=states).exists() else None


def _news(envelope: Envelope, recipient: Recipient) -> dict[str, Any]:
    """What the templates of the shop's news may use."""
    with translation.override(_spoken(recipient.locale)):
        until = date_format(_last_day(envelope), "DATE_FORMAT")
    return {
        "shop": settings.SHOP,
        "first_name": _reader(envelope).first_name,
        "percent_off": envelope.data["percent_off"],
        "until": until,
        "code": envelope.data["code"],
    }


def _reader(envelope: Envelope) -> Customer:
    """Raises PermanentError: somebody who was announced to may be gone when their turn comes."""
    try:
        return Customer.objects.get(pk=envelope.data["customer_id"])
    except Customer.DoesNotExist:
        raise PermanentError(f"there is no {envelope.subject} here", "no_such_customer") from None


def _last_day(envelope: Envelope) -> date:
    return date.fromisoformat(envelope.data["until"])


def forget_device(channel: str, reference: str, address: str) -> None:
    """FCM knows this token no more: the app was taken off the device, or given another token.

    Race: the device may have registered anew since; then its row has another token, and stays.
    """
    device = reference.rpartition("/device/")[2]
    if channel == "push" and device.isdecimal():
        Device.objects.filter(pk=int(device), token=address).delete()


def forget(person: str) -> None:
    """Erase what the shop knows of "customer/42" beside their orders, which the books need."""
    kind, _, number = person.partition("/")
    if kind == "customer" and number.isdecimal():
        forget_customer(customer_id=int(number))


def _money_words(envelope: Envelope, order: Order, locale: str) -> dict[str, str]:
    """What was paid, what goes back and why, or why nothing was paid; empty in other events."""
    words = dict.fromkeys(("paid", "refund", "refund_reason", "decline_code"), "")
    match envelope.type:
        case "payment.completed":
            paid = Money(envelope.data["currency"], envelope.data["amount_minor"])
            words["paid"] = paid.format(locale)
        case "payment.failed":
            words["decline_code"] = envelope.data["reason"]
        case "order.refunded":
            if amount := envelope.data.get("amount_minor"):  # none: all that is left
                words["refund"] = Money(order.currency, amount).format(locale)
            words["refund_reason"] = _refund_reason(envelope)
    return words


def _refund_reason(envelope: Envelope) -> str:
    """Another publisher's refund ids are not ours."""
    if envelope.foreign:
        return ""
    refund = Refund.objects.filter(pk=envelope.data.get("refund_id"))
    return refund.values_list("reason", flat=True).first() or ""


def _order(envelope: Envelope) -> Order:
    try:
        return Order.objects.select_related("customer").get(pk=_order_id(envelope))
    except Order.DoesNotExist:
        raise PermanentError(f"there is no {envelope.subject} here", "no_such_order") from None


def _order_id(envelope: Envelope) -> int:
    try:
        return int(envelope.data["order_id"])
    except (KeyError, TypeError, ValueError):
        raise PermanentError(
            f"{envelope.type} names no order: data.order_id is missing", "no_order_id"
        ) from None


def _recipient(customer: Customer, channel: str, device: Device | None = None) -> Recipient:
    addresses = {
        "email": customer.email,
        "sms": customer.phone,
        "whatsapp": customer.whatsapp,
        "push": device.token if device else "",
    }
    person = f"customer/{customer.pk}"
    return Recipient(
        reference=f"{person}/device/{device.pk}" if device else person,
        address="" if customer.forgotten_at else addresses.get(channel, ""),
        opted_out=not customer.agrees_to(channel),
        locale=customer.locale,
        time_zone=customer.time_zone,
        person=person,
    )


def _spoken(locale: str) -> str:
    """The closest of our languages, so that no English sentence holds a Japanese date."""
    try:
        return translation.get_supported_language_variant(locale.lower())
    except LookupError:
        return settings.LANGUAGE_CODE


def _line(line: OrderLine, locale: str) -> dict[str, Any]:
    return {
        "name": line.name,
        "sku": line.sku,
        "quantity": line.quantity,
        "unit_price": line.unit_price.format(locale),
        "total": line.total.format(locale),
    }


def _day(order: Order, locale: str, time_zone: str) -> str:
    """The day it was placed where the customer lives, as people there write it."""
    try:
        zone = ZoneInfo(time_zone or settings.TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo(settings.TIME_ZONE)
    with translation.override(locale):
        return date_format(order.placed_at.astimezone(zone), "DATE_FORMAT")
