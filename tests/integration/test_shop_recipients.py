"""Who is told about an order, whether it still holds, and what the templates make of it."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from notifications import outbox, recipients
from notifications.channels.base import Content
from notifications.conf import Route, conf
from notifications.envelope import Envelope
from notifications.exceptions import PermanentError
from notifications.models import Event
from notifications.rendering import render
from notifications.testing import deliver_in_process
from orders_site.customers.models import Customer
from orders_site.events import PaymentCompleted, PaymentFailed, ShopNews
from orders_site.orders.models import Order, Refund
from orders_site.orders.money import Money
from orders_site.orders.services import Line, cancel_order, refund_order, ship_order
from orders_site.payments.models import Payment
from tests.shop import a_customer, a_product, an_order

pytestmark = pytest.mark.django_db

ROUTED = [(kind, route) for kind, routes in conf().routes.items() for route in routes]
GSM_7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)


def envelope_of(order: Order, kind: str) -> Envelope:
    about = f"customer/{order.customer_id}" if kind == "shop.news" else f"order/{order.pk}"
    return Event.objects.get(subject=about, type=kind).envelope()


def a_whole_life(**customer: Any) -> Order:
    """Placed, declined, paid, shipped, partly refunded and lost, by somebody who is sent news: with
    every event there is."""
    lines = [Line(a_product(), 2), Line(a_product(name="Soap <b>", price_minor=800))]
    order = an_order(customer=a_customer(devices=1, **customer), lines=lines)
    tell_of_a_decline(order)
    tell_of_the_payment(order)
    tell_news_to(order.customer)
    ship_order(order=order, tracking_code="JJD0001", carrier="DHL")
    refund_order(order=order, amount=Money("EUR", 800), reason="damaged")
    return cancel_order(order=order, reason="lost_in_transit")


def tell_of_a_decline(order: Order, reason: str = "card_declined") -> None:
    with transaction.atomic():
        outbox.record(PaymentFailed(order_id=order.pk, reason=reason))


def tell_of_the_payment(order: Order) -> None:
    with transaction.atomic():
        outbox.record(
            PaymentCompleted(
                order_id=order.pk, amount_minor=order.total_minor, currency=order.currency
            )
        )


def tell_news_to(customer: Customer, until: str = "2199-12-31") -> None:
    with transaction.atomic():
        outbox.record(ShopNews(customer_id=customer.pk, percent_off=20, until=until, code="PINE20"))


def told(order: Order, kind: str, channel: str) -> Content:
    envelope = envelope_of(order, kind)
    recipient = recipients.resolve(envelope, Route(channel))[0]
    context = recipients.context(envelope, recipient)
    return render(envelope, channel=channel, recipient=recipient, context=context)


@pytest.mark.parametrize("channel", ["email", "sms", "whatsapp"])
def test_the_customer_is_told_at_the_channels_own_address(channel: str) -> None:
    order = an_order()
    customer = order.customer
    address = {"email": customer.email, "sms": customer.phone, "whatsapp": customer.whatsapp}
    [recipient] = recipients.resolve(envelope_of(order, "order.created"), Route(channel))
    assert recipient == recipients.Recipient(
        reference=f"customer/{customer.pk}",
        address=address[channel],
        locale="de",
        time_zone="Europe/Berlin",
        person=f"customer/{customer.pk}",
    )


def test_a_push_goes_to_each_device() -> None:
    customer = a_customer(devices=2)
    order = an_order(customer=customer)
    found = recipients.resolve(envelope_of(order, "order.created"), Route("push"))
    assert [(one.reference, one.address) for one in found] == [
        (f"customer/{customer.pk}/device/{device.pk}", device.token)
        for device in customer.devices.order_by("pk")
    ]


@pytest.mark.parametrize("channel", ["sms", "whatsapp", "push"])
def test_somebody_without_an_address_is_named_all_the_same(channel: str) -> None:
    order = an_order(customer=a_customer(phone="", whatsapp=""))
    [recipient] = recipients.resolve(envelope_of(order, "order.created"), Route(channel))
    assert (recipient.reference, recipient.address) == (f"customer/{order.customer_id}", "")


@pytest.mark.parametrize("channel", ["email", "sms", "whatsapp", "push"])
def test_who_did_not_agree_to_a_channel_has_opted_out_of_it_alone(channel: str) -> None:
    order = an_order(customer=a_customer(**{f"{channel}_consent": False}))
    envelope = envelope_of(order, "order.created")
    opted_out = {
        name
        for name in set(conf().channels) - {"webhook"}  # tells partners, no customer
        if all(one.opted_out for one in recipients.resolve(envelope, Route(name)))
    }
    assert opted_out == {channel}


def test_telling_costs_few_queries_however_large_the_order(
    django_assert_num_queries: Any,
) -> None:
    order = an_order(customer=a_customer(devices=3), lines=[Line(a_product()) for _ in range(20)])
    envelope = envelope_of(order, "order.created")
    with django_assert_num_queries(1):
        [recipient] = recipients.resolve(envelope, Route("email"))
    with django_assert_num_queries(2):
        recipients.resolve(envelope, Route("push"))
    with django_assert_num_queries(2):
        recipients.context(envelope, recipient)
    with django_assert_num_queries(1):
        recipients.no_longer_true(envelope)


def test_a_cancelled_order_is_no_longer_confirmed_nor_on_its_way() -> None:
    order = an_order()
    ship_order(order=order, tracking_code="JJD0001", carrier="DHL")
    created, shipped = (envelope_of(order, f"order.{step}") for step in ("created", "shipped"))
    assert recipients.no_longer_true(created) is None
    assert recipients.no_longer_true(shipped) is None
    cancel_order(order=order, reason="lost_in_transit")
    assert recipients.no_longer_true(created) == "the order was cancelled"
    assert recipients.no_longer_true(shipped) == "the order was cancelled"
    assert recipients.no_longer_true(envelope_of(order, "order.cancelled")) is None


def test_an_order_that_does_not_exist_fails_for_good() -> None:
    order = an_order()
    envelope = envelope_of(order, "order.created")
    order.lines.all().delete()
    order.delete()
    with pytest.raises(PermanentError) as refusal:
        recipients.resolve(envelope, Route("email"))
    assert refusal.value.code == "no_such_order"


def test_days_and_money_are_those_of_the_customers_place() -> None:
    order = an_order()
    Order.objects.update(placed_at="2026-03-01T23:30:00+00:00")
    envelope = envelope_of(order, "order.created")

    def read(locale: str, time_zone: str) -> tuple[str, str]:
        recipient = recipients.Recipient("customer/1", locale=locale, time_zone=time_zone)
        context = recipients.context(envelope, recipient)
        return context["placed_on"], context["total"]

    assert read("de-AT", "Europe/Vienna") == ("2. März 2026", "49,90\N{NO-BREAK SPACE}€")
    assert read("en-US", "America/Denver") == ("March 1, 2026", "€49.90")
    assert read("ja", "Not/AZone") == ("March 1, 2026", "€49.90")
    assert read("", "") == ("March 1, 2026", "€49.90")


@pytest.mark.S2
@pytest.mark.parametrize("locale", ["en", "en-GB", "de", "de-AT", "sv", ""])
@pytest.mark.parametrize(
    ("kind", "route"), ROUTED, ids=[f"{kind}-{route.channel}" for kind, route in ROUTED]
)
def test_every_route_has_a_text_that_reads_well(kind: str, route: Route, locale: str) -> None:
    content = told(a_whole_life(locale=locale), kind, route.channel)
    assert content.text
    assert not re.search(r"&(amp|#x27|lt|quot);", content.text + content.subject)
    assert not re.search(r"\n\s*\n\s*\n|[ \t]$|\{[{%]|  +\S+ +$", content.text, re.MULTILINE)
    assert "None" not in content.text
    assert "\n" not in content.subject
    assert bool(content.subject) == (route.channel in {"email", "push"})
    assert bool(content.html) == (route.channel == "email")
    german = re.search(r"Bestellung|\b[Bb]is\b", content.text)
    assert bool(german) == locale.startswith("de")


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("kind", sorted(conf().routes))
def test_both_parts_of_an_email_say_the_same(kind: str, locale: str) -> None:
    content = told(a_whole_life(locale=locale), kind, "email")
    assert "Soap <b>" not in content.html
    body = content.html.partition("<body")[2]
    link = " ".join(re.findall(r'href="(https://[^"]+)"', body))
    words = set(re.findall(r"\w+", html.unescape(re.sub(r"<[^>]+>", " ", body) + link)))
    said = set(re.findall(r"\w+", content.text))
    assert said - words <= {"Total", "Summe"}
    assert f'lang="{locale}"' in content.html


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("kind", ["order.shipped", "order.cancelled", "payment.failed"])
def test_an_sms_fits_into_one_part(kind: str, locale: str) -> None:
    text = told(a_whole_life(locale=locale), kind, "sms").text
    assert set(text) <= GSM_7
    assert len(text) <= 160


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("reason", Order.CancelReason.values)
def test_each_reason_to_cancel_has_its_own_words(reason: str, locale: str) -> None:
    order = an_order(customer=a_customer(locale=locale))
    if Order.cancellable_from(Order.CancelReason(reason)) == Order.State.SHIPPED:
        ship_order(order=order, tracking_code="JJD0001", carrier="DHL")
    cancel_order(order=order, reason=reason)
    text = told(order, "order.cancelled", "email").text
    Order.objects.update(cancel_reason="")
    assert text != told(order, "order.cancelled", "email").text


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("reason", Refund.Reason.values)
def test_each_reason_to_refund_has_its_own_words_and_the_amount(reason: str, locale: str) -> None:
    order = an_order(customer=a_customer(locale=locale))
    refund_order(order=order, amount=Money("EUR", 1000), reason=reason)
    text = told(order, "order.refunded", "email").text
    assert Money("EUR", 1000).format(locale) in text
    Refund.objects.update(reason="")
    assert text != told(order, "order.refunded", "email").text


def test_a_refund_without_an_amount_is_of_the_rest() -> None:
    order = an_order(customer=a_customer(locale="en"))
    refund_order(order=order, reason="goodwill")
    event = Event.objects.get(type="order.refunded")
    event.data = {"order_id": order.pk}
    event.save()
    assert "the rest of what you paid goes back" in told(order, "order.refunded", "email").text


@pytest.mark.parametrize("locale", ["en", "de"])
def test_a_decline_is_told_in_words_and_never_by_its_code(locale: str) -> None:
    order = an_order(customer=a_customer(locale=locale))
    texts = set()
    for reason in ("insufficient_funds", "card_expired", "incorrect_cvc", "fraud_suspected"):
        Event.objects.filter(type="payment.failed").delete()
        tell_of_a_decline(order, reason)
        texts.add(told(order, "payment.failed", "email").text)
    assert len(texts) == 4
    assert not any("_" in text or "fraud" in text for text in texts)


def test_a_decline_is_not_told_of_an_order_that_was_cancelled_or_paid_since() -> None:
    cancelled, paid = an_order(), an_order()
    for order in (cancelled, paid):
        tell_of_a_decline(order)
        assert recipients.no_longer_true(envelope_of(order, "payment.failed")) is None
    cancel_order(order=cancelled, reason="payment_failed")
    Payment.objects.open(paid, Payment.State.COMPLETED)
    said = [
        recipients.no_longer_true(envelope_of(order, "payment.failed"))
        for order in (cancelled, paid)
    ]
    assert said == ["the order was cancelled", "the order was paid"]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (None, None),
        (Payment.State.EXPECTED, None),
        (Payment.State.COMPLETED, None),
        (Payment.State.FAILED, "nothing was paid"),
        (Payment.State.VOID, "nothing was paid"),
    ],
)
def test_no_money_is_said_to_go_back_where_none_was_taken(
    state: Payment.State | None, said: str | None
) -> None:
    order = an_order()
    if state:
        Payment.objects.open(order, state)
    refund_order(order=order, reason="goodwill")
    assert recipients.no_longer_true(envelope_of(order, "order.refunded")) == said


def test_links_lead_to_the_shop() -> None:
    order = a_whole_life()
    assert f"{settings.SHOP['url']}/orders/{order.pk}" in told(order, "order.shipped", "sms").text


@pytest.mark.parametrize(
    ("locale", "words"),
    [("en", "Choose what you hear from us"), ("de", "Auswählen, was Sie von uns hören")],
)
def test_a_mail_about_an_order_leads_to_what_its_reader_may_choose(locale: str, words: str) -> None:
    with deliver_in_process() as told:
        an_order(customer=a_customer(locale=locale))

    mail = next(each for each in told.by("email") if each.event_type == "order.created")
    links = re.findall(r'<a [^>]*href="([^"]+)"[^>]*>([^<]+)</a>', mail.html)
    (url,) = [url for url, text in links if text == words]
    assert url.startswith("https://shop.example/notifications/preferences/")
    assert "/notifications/unsubscribe/" not in mail.html


@pytest.mark.parametrize(("locale", "word"), [("en", "Unsubscribe"), ("de", "Abmelden")])
def test_news_by_email_say_in_both_their_forms_how_to_stop_them(locale: str, word: str) -> None:
    with deliver_in_process() as told:
        tell_news_to(a_customer(locale=locale))

    (mail,) = told.by("email")
    (url,) = re.findall(rf'<a [^>]*href="([^"]+)"[^>]*>{word}</a>', mail.html)
    assert url.startswith("https://shop.example/notifications/unsubscribe/")
    assert f"{word}: {url}" in mail.text


def test_news_are_told_until_their_last_day() -> None:
    order = an_order()
    today = timezone.localdate()
    tell_news_to(order.customer, until=today.isoformat())
    assert recipients.no_longer_true(envelope_of(order, "shop.news")) is None
    Event.objects.filter(type="shop.news").delete()
    tell_news_to(order.customer, until=(today - timedelta(days=1)).isoformat())
    assert recipients.no_longer_true(envelope_of(order, "shop.news")) == "the offer is over"


def test_news_for_somebody_who_is_gone_fail_for_good() -> None:
    customer = a_customer()
    tell_news_to(customer)
    envelope = Event.objects.get(type="shop.news").envelope()
    customer.delete()
    with pytest.raises(PermanentError) as refusal:
        recipients.resolve(envelope, Route("email"))
    assert refusal.value.code == "no_such_customer"
