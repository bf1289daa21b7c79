"""An order is charged once, and never more is given back than was paid, in whatever order it comes.

What happened is asked of the provider, which is the sandbox over its real HTTP API.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from notifications.envelope import Envelope
from notifications.exceptions import PermanentError, TransientError
from notifications.local.providers.client import SandboxClient
from notifications.models import Event, Handled
from orders_site.orders.models import Order
from orders_site.orders.money import Money
from orders_site.orders.services import cancel_order, refund_order
from orders_site.payments.consumers import handle
from orders_site.payments.httpx_provider import HttpxProvider
from orders_site.payments.models import Payment, PaymentRefund
from tests.shop import an_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(sandbox: SandboxClient) -> Iterator[HttpxProvider]:
    provider = HttpxProvider(os.environ["PAYMENT_ENDPOINT"], "a key", read_timeout=2.0)
    yield provider
    provider.close()


def event(order: Order, kind: str) -> Envelope:
    """The newest event of that type, as the consumer gets it."""
    found = Event.objects.filter(subject=f"order/{order.pk}", type=kind).order_by("-id").first()
    assert found is not None
    return found.envelope()


def done(order: Order) -> dict[str, Any]:
    """The types of events of this order that payments say they have done."""
    rows = Handled.objects.filter(subject=f"order/{order.pk}", consumer="payments")
    return dict(rows.values_list("event_type", "outcome"))


def euros(cents: int) -> Money:
    return Money("EUR", cents)


def test_an_order_is_charged_once_however_often_it_is_told(sandbox, provider):
    order = an_order()
    for _ in range(3):
        handle(event(order, "order.created"), provider)

    (charge,) = sandbox.charges()
    assert (charge.key, charge.reference) == (f"charge-{order.pk}", f"order/{order.pk}")
    assert (charge.amount, charge.currency, charge.refunded) == (4990, "EUR", 0)
    payment = Payment.objects.get()
    assert (payment.state, payment.amount, payment.provider_id) == (
        "completed",
        order.total,
        charge.id,
    )
    told = Event.objects.get(type="payment.completed")
    assert told.data == {
        "order_id": order.pk,
        "payment_id": payment.pk,
        "amount_minor": 4990,
        "currency": "EUR",
    }
    assert done(order) == {"order.created": "done"}
    assert sandbox.requests("payments") == 1


def test_a_decline_settles_the_payment_and_is_told_with_the_providers_code(sandbox, provider):
    order = an_order()
    sandbox.script("payments", "refuse", code="insufficient_funds", address=f"charge-{order.pk}")
    for _ in range(2):
        handle(event(order, "order.created"), provider)

    payment = Payment.objects.get()
    assert (payment.state, payment.decline_code) == ("failed", "insufficient_funds")
    assert Event.objects.get(type="payment.failed").data["reason"] == "insufficient_funds"
    assert done(order) == {"order.created": "done"}
    assert sandbox.requests("payments") == 1


def test_refunds_give_back_their_part_and_a_cancellation_the_rest(sandbox, provider):
    order = an_order()
    handle(event(order, "order.created"), provider)
    refund_order(order=order, amount=euros(1500), reason="damaged")
    handle(event(order, "order.refunded"), provider)
    cancel_order(order=order, reason="customer_request")
    handle(event(order, "order.cancelled"), provider)

    assert [refund.amount for refund in sandbox.refunds()] == [1500, 3490]
    assert sandbox.charges()[0].refunded == 4990
    assert Payment.objects.get().refunded == order.total


def test_an_order_cancelled_before_its_creation_is_heard_of_is_never_charged(sandbox, provider):
    order = an_order()
    created = event(order, "order.created")
    cancel_order(order=order, reason="customer_request")
    handle(event(order, "order.cancelled"), provider)
    handle(created, provider)

    assert Payment.objects.get().state == "void"
    assert sandbox.charges() == []
    assert done(order) == {"order.created": "done", "order.cancelled": "done"}


def test_a_refund_that_comes_before_the_charge_is_carried_out_with_it(sandbox, provider):
    order = an_order()
    refund_order(order=order, amount=euros(1500), reason="damaged")
    handle(event(order, "order.refunded"), provider)
    assert PaymentRefund.objects.get().state == "due"
    assert sandbox.charges() == []

    handle(event(order, "order.created"), provider)
    assert sandbox.charges()[0].refunded == 1500
    assert PaymentRefund.objects.get().state == "done"


def test_a_throttled_charge_is_put_back_and_says_when_to_come_again(sandbox, provider):
    order = an_order()
    sandbox.script("payments", "throttle", retry_after=7, times=1)
    with pytest.raises(TransientError) as raised:
        handle(event(order, "order.created"), provider)

    assert (raised.value.code, raised.value.retry_after) == ("too_many_requests", 7.0)
    assert Payment.objects.get().state == "expected"
    handle(event(order, "order.created"), provider)
    assert len(sandbox.charges()) == 1
    assert sandbox.requests("payment-lookups") == 0


def test_a_charge_whose_answer_was_lost_is_looked_up_and_not_repeated(sandbox, provider):
    order = an_order()
    sandbox.script("payments", "accept_then_drop", times=1)
    with pytest.raises(TransientError, match="connection_lost"):
        handle(event(order, "order.created"), provider)
    assert Payment.objects.get().state == "charging"

    handle(event(order, "order.created"), provider)
    assert Payment.objects.get().state == "completed"
    assert (sandbox.requests("payments"), sandbox.requests("payment-lookups")) == (1, 1)
    assert len(sandbox.charges()) == 1


def test_a_fault_of_the_account_is_given_up_and_a_redrive_after_the_mend_succeeds(
    sandbox, provider
):
    order = an_order()
    sandbox.script("payments", "refuse", code="currency_not_supported")
    with pytest.raises(PermanentError, match="currency_not_supported"):
        handle(event(order, "order.created"), provider)

    sandbox.forget_script("payments")
    handle(event(order, "order.created"), provider)
    assert Payment.objects.get().state == "completed"
    assert len(sandbox.charges()) == 1
