"""The timeline of an order: everything on record, in order of time, by few queries."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications.local.providers.client import SandboxClient
from notifications.management.timeline_text import lines
from notifications.models import DeadLetter, Delivery, Dispatch, Event, Handled, Pause
from notifications.testing import deliver_in_process
from notifications.timeline import MOST, timeline
from notifications.timeline_entries import Kind
from orders_site.customers.models import Customer
from orders_site.inventory.services import stock_product
from orders_site.orders.models import Order, Refund
from orders_site.orders.money import Money
from orders_site.orders.samples import Samples
from orders_site.orders.services import Line, cancel_order, refund_order, ship_order
from tests.integration.operator_rows import (
    EMAIL,
    PHONE,
    TOKEN,
    make_attempt,
    make_delivery,
    make_event,
    make_everything,
    make_receipt,
)
from tests.shop import a_product, an_order

pytestmark = pytest.mark.django_db

OF_NOTIFICATIONS, OF_SHOP = 12, 6
"""Queries: one for each table (jobs' log, pauses and the counted deliveries among them)."""


@pytest.fixture
def order() -> Order:
    """Placed by somebody who can be reached by mail alone."""
    customer = Customer.objects.create(
        first_name="Gustav", last_name="Klein", email=EMAIL, country="DE", push_consent=False
    )
    return Samples(seed=1).place(customer)


def show(*arguments: str) -> str:
    out = StringIO()
    call_command("timeline", *arguments, stdout=out, no_color=True)
    return out.getvalue()


def whats(subject: str, *kinds: Kind) -> list[str]:
    return [entry.what for entry in timeline(subject).entries if entry.kind in kinds]


def test_an_orders_whole_way_is_told_in_order_of_time(order: Order) -> None:
    with deliver_in_process():
        ship_order(order=order, tracking_code="1Z 42", carrier="UPS")
    refund_order(
        order=order,
        amount=order.total,
        reason=Refund.Reason.GOODWILL,
    )

    found = timeline(f"order/{order.pk}")

    moments = [entry.at for entry in found.entries]
    assert moments == sorted(moments)
    assert whats(found.subject, Kind.SHOP) == ["order placed", "order shipped", "refund owed"]
    assert whats(found.subject, Kind.EVENT) == [
        "order.created recorded",
        "order.shipped recorded",
        "order.refunded recorded",
    ]
    told = [entry.what for entry in found.entries if entry.kind is Kind.DELIVERY]
    assert "email: sent" in told
    assert "sms: skipped" in told
    assert "email attempt 1: sent" in whats(found.subject, Kind.ATTEMPT)


def test_a_cancelled_order_says_why(order: Order) -> None:
    cancel_order(order=order, reason=Order.CancelReason.CUSTOMER_REQUEST)
    [placed, cancelled] = [
        entry for entry in timeline(f"order/{order.pk}").entries if entry.kind is Kind.SHOP
    ]
    assert placed.detail == order.total.format("en")
    assert (cancelled.what, cancelled.detail) == (
        "order cancelled",
        "the customer asked for it",
    )


def test_a_dispatch_is_told_when_it_is_available_claimed_and_published() -> None:
    event = make_event(5)
    assert whats("order/5", Kind.DISPATCH) == ["available for topic order-events"]

    [claimed] = Dispatch.objects.claim(1)
    assert whats("order/5", Kind.DISPATCH)[-1] == "claimed for topic order-events"
    assert claimed.token is not None

    Dispatch.objects.mark_published(claimed.token, {claimed.pk: "sns-1"})
    last = [entry for entry in timeline("order/5").entries if entry.kind is Kind.DISPATCH][-1]
    assert (last.what, last.event_id) == ("published to topic order-events", event.id)
    assert last.ids["sns"] == "sns-1"


def test_what_operators_did_stands_on_it() -> None:
    event = make_event(5)
    delivery = make_delivery(event, state="failed")
    letter = DeadLetter.objects.create(
        queue="email", message_id="m", body=b"{}", event_id=event.pk, subject=event.subject,
        reason="failed",
    )  # fmt: skip
    call_command(
        *("resend", "--delivery", str(delivery.pk), "--reason", "mended", "--by", "mira"),
        stdout=StringIO(),
    )
    DeadLetter.objects.move(
        [letter.pk],
        DeadLetter.State.OPEN,
        DeadLetter.State.DISCARDED,
        by="ada",
        reason=f"asked {EMAIL}",
    )
    Pause.objects.pause(Pause.Kind.QUEUE, "email", by="bob", reason="the account moves")
    Pause.objects.pause(Pause.Kind.QUEUE, "nobodys", by="bob")

    done = [entry for entry in timeline("order/5").entries if entry.kind is Kind.OPERATOR]

    said = {entry.what: entry.detail for entry in done}
    [item] = [entry for entry in done if "item" in entry.ids]
    assert item.what.startswith("resend ")
    assert item.detail.startswith("by mira: mended")
    assert item.event_id == event.id
    assert said["email: dead letter discarded"].startswith("by ada: asked g…@")
    assert said["queue email paused"] == "by bob: the account moves"
    assert not [what for what in said if "nobodys" in what]


def test_a_pause_that_was_over_before_is_not_its_own() -> None:
    before = timezone.now() - timedelta(hours=2)
    Pause.objects.create(kind="queue", name="email", paused_at=before, resumed_at=before)
    make_event(5)
    assert whats("order/5", Kind.OPERATOR) == []


def test_completeness_counts_events_and_names_who_is_silent() -> None:
    event = make_event(5)
    Event.objects.filter(pk=event.pk).update(expected=["email", "sms"])
    Dispatch.objects.update(state="published", published_at=timezone.now() - timedelta(minutes=12))
    make_delivery(event, state="sent")

    found = timeline("order/5")

    assert found.completeness.words(found.at) == "1 of 2; sms has not reported for 12 min"
    [told] = found.events
    assert told.completeness.reached == 1
    assert {lag.consumer: lag.received for lag in told.lags}["sms"] is None


def test_a_dead_letter_that_is_open_makes_its_consumer_one_that_gave_up() -> None:
    event = make_event(5)
    Event.objects.filter(pk=event.pk).update(expected=["email"])
    letter = DeadLetter.objects.create(
        queue="email-bulk", message_id="m", body=b"{}", event_id=event.pk, subject="order/5"
    )
    said = timeline("order/5").completeness.words(timezone.now())
    assert said == f"0 of 1; email gave it up (dead letter {letter.pk} is open)"


def test_the_number_of_queries_does_not_grow_with_what_there_is(order: Order) -> None:
    subject = f"order/{order.pk}"

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            timeline(subject)
        return len(asked)

    few = queries()
    for _ in range(3):
        event = make_event(order.pk)
        Handled.objects.create(consumer="ledger", event_id=event.pk, subject=subject)
        DeadLetter.objects.create(queue="sms", message_id=str(event.pk), body=b"", subject=subject)
        for channel in ("email", "sms", "push"):
            delivery = make_delivery(event, channel=channel, state="failed")
            make_attempt(delivery)
            make_receipt(delivery)
            call_command(
                *("resend", "--delivery", str(delivery.pk), "--reason", "x"), stdout=StringIO()
            )
    assert few <= queries() <= few + 1, "the jobs' log is asked for once there are jobs"
    assert queries() <= OF_NOTIFICATIONS + OF_SHOP


def test_money_and_stock_are_told_with_the_rest(sandbox: SandboxClient) -> None:
    mug = a_product()
    stock_product(product=mug, on_hand=100)
    with deliver_in_process():
        order = an_order(lines=[Line(mug, 2)])
    with deliver_in_process():
        refund_order(order=order, amount=Money("EUR", 100), reason="damaged")
    with deliver_in_process():
        cancel_order(order=order, reason="customer_request")

    entries = timeline(f"order/{order.pk}").entries
    told = [(entry.what, entry.detail) for entry in entries if entry.kind is Kind.SHOP]

    assert ("payment charged", "€49.90") in told
    assert [detail for what, detail in told if what == "money given back"] == ["€1.00", "€48.90"]
    assert ("stock taken", f"2 x {mug.sku}") in told
    assert told[-1][0] in {"stock taken is released", "money given back"}


def test_no_address_stands_in_any_line() -> None:
    make_everything()
    for subject in Event.objects.values_list("subject", flat=True):
        found = timeline(subject)
        text = "\n".join(lines(found, 80)) + show(subject, "--json")
        for address in (EMAIL, PHONE, TOKEN):
            assert address not in text, subject


def test_of_a_subject_with_very_many_rows_the_latest_are_shown_and_all_are_counted() -> None:
    event = make_event(5)
    Event.objects.filter(pk=event.pk).update(expected=["email"])
    template = make_delivery(event)
    rows = [template.__class__(**_copy(template, number)) for number in range(MOST)]
    Delivery.objects.bulk_create(rows)
    Delivery.objects.filter(recipient="customer/extra-0").update(state="retrying")

    found = timeline("order/5")

    assert found.cut == ("deliveries",)
    assert len([entry for entry in found.entries if entry.kind is Kind.DELIVERY]) == MOST
    assert f"1 of {MOST + 1} deliveries" in found.completeness.words(found.at)
    assert "of its deliveries only the latest are shown" in show("5")


def test_the_command_shows_completeness_first_then_event_by_event(order: Order) -> None:
    with deliver_in_process():
        ship_order(order=order, tracking_code="1Z 42", carrier="UPS")
    printed = show(f"#{order.pk}").splitlines()

    assert printed[0] == f"order/{order.pk}"
    assert " of " in printed[1]
    headings = [line.split()[0] for line in printed if line.startswith("  order.")]
    assert headings == ["order.created", "order.shipped"]
    assert max(map(len, printed)) <= 100
    assert show(str(order.pk)).splitlines()[0] == printed[0]


def test_a_narrow_terminal_has_its_lines_broken_below_their_text(order: Order) -> None:
    found = timeline(f"order/{order.pk}")
    narrow = list(lines(found, 60))
    assert max(map(len, narrow)) <= 60
    assert len(narrow) > len(list(lines(found, 200)))


def test_as_json_it_is_one_object(order: Order) -> None:
    found = json.loads(show(f"order/{order.pk}", "--json"))
    assert found["subject"] == f"order/{order.pk}"
    assert found["completeness"]["expected"] == len(found["completeness"]["consumers"])
    assert [event["type"] for event in found["events"]] == ["order.created"]
    assert {"published", "received", "done", "total"} <= set(found["events"][0]["lag"][0])
    assert {"at", "kind", "what", "detail", "event_id", "consumer", "ids"} == set(
        found["entries"][0]
    )


def test_another_subject_than_an_order_works_too() -> None:
    with transaction.atomic():
        Dispatch.objects.create(kind="topic", destination="stock-events", subject="sku/MUG")
    assert "available for topic stock-events" in show("sku/MUG")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("99999", "Nothing is known of order/99999. Say the whole subject of what is no order"),
        ("sku/NONE", "Nothing is known of sku/NONE."),
    ],
)
def test_what_nobody_knows_is_said_in_one_line(given: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        show(given)


def _copy(delivery: Delivery, number: int) -> dict[str, Any]:
    names = ("event_id", "event_type", "event_time", "subject", "channel", "route", "state")
    copied = {name: getattr(delivery, name) for name in names}
    return {**copied, "recipient": f"customer/extra-{number}"}
