"""S2: an order is charged once, the customer gets the receipt, and what is owed back goes back."""

from __future__ import annotations

import pytest

from notifications.models import DeadLetter, Dispatch, Handled
from orders_site.orders.money import Money
from orders_site.orders.services import cancel_order, refund_order
from orders_site.payments.models import Payment
from tests.waiting import wait_for

pytestmark = [pytest.mark.S2, pytest.mark.django_db(transaction=True)]

IMPATIENT = {"DJANGO_SETTINGS_MODULE": "tests.short_leases"}


def mailed(sandbox, event_type: str) -> list[str]:
    return [each.subject for each in sandbox.accepted("email") if each.event_type == event_type]


def paid(order) -> bool:
    return Payment.objects.filter(order=order, state=Payment.State.COMPLETED).exists()


def done(order, event_type: str) -> bool:
    subject = f"order/{order.pk}"
    return Handled.objects.filter(
        consumer="payments", subject=subject, event_type=event_type, outcome="done"
    ).exists()


def test_s2_an_order_is_charged_receipted_refunded_and_cancelled(
    kind_of_topic, order, sandbox, relay, worker
):
    relay()
    worker("payments", "email")
    subject = f"order/{order.pk}"
    wait_for(lambda: mailed(sandbox, "payment.completed"), within=30, what="the receipt")
    (charge,) = sandbox.charges()
    assert (charge.reference, charge.amount) == (subject, order.total_minor)

    refund_order(order=order, amount=Money(order.currency, 100), reason="goodwill")
    wait_for(lambda: mailed(sandbox, "order.refunded"), within=30, what="the refund's mail")
    wait_for(lambda: done(order, "order.refunded"), within=30, what="the refund")
    cancel_order(order=order, reason="customer_request")
    wait_for(lambda: done(order, "order.cancelled"), within=30, what="the rest to go back")

    assert [each.amount for each in sandbox.refunds()] == [100, order.total_minor - 100]
    assert sandbox.charges()[0].refunded == order.total_minor
    assert mailed(sandbox, "payment.completed") == [subject]
    assert mailed(sandbox, "order.refunded") == [subject]


def test_s2_a_charge_whose_worker_was_killed_is_looked_up_and_not_repeated(
    order, sandbox, relay, worker
):
    """The provider takes the money when nobody is left to be told so."""
    sandbox.script("payments", "delay", seconds=1, times=1)
    relay()
    first = worker("payments", **IMPATIENT)
    wait_for(lambda: sandbox.requests("payments") == 1, within=30, what="the charge on its way")
    first.kill()
    wait_for(sandbox.charges, within=30, what="the provider to charge all the same")
    worker("payments", **IMPATIENT)
    wait_for(lambda: done(order, "order.created"), within=90, what="the charge to be known")

    assert paid(order)
    assert len(sandbox.charges()) == 1
    assert sandbox.requests("payments") == 1
    assert sandbox.requests("payment-lookups") >= 1


def test_s2_orders_that_the_account_could_not_take_are_charged_after_the_mend(
    order, sandbox, relay, worker, manage
):
    sandbox.script("payments", "refuse", code="currency_not_supported")
    relay()
    worker("payments")
    letters = DeadLetter.objects.filter(queue="payments", state=DeadLetter.State.OPEN)
    wait_for(letters.exists, within=60, what="its dead letter")
    assert letters.get().reason == "currency_not_supported"
    assert sandbox.charges() == []

    sandbox.forget_script("payments")
    manage("redrive", "--queue", "payments", "--reason", "the account takes it now")
    wait_for(lambda: done(order, "order.created"), within=30, what="the charge")
    assert paid(order)
    assert len(sandbox.charges()) == 1
    assert not letters.exists()
    wait_for(
        lambda: not Dispatch.objects.exclude(state=Dispatch.State.PUBLISHED).exists(),
        within=30,
        what="everything to be published",
    )
