"""Two at once, and processes that die in the middle: one charge, never more back than was paid."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from notifications.envelope import Envelope
from notifications.exceptions import Busy, TransientError
from notifications.models import Event, Handled
from orders_site.orders.services import cancel_order, refund_order
from orders_site.payments.consumers import handle
from orders_site.payments.httpx_provider import HttpxProvider
from orders_site.payments.models import Payment, PaymentRefund
from orders_site.payments.provider import Charged, Declined, Refunded
from tests.integration.charges import euros, event, patiently
from tests.integration.together import all_at_once, at_once
from tests.shop import an_order

pytestmark = pytest.mark.django_db(transaction=True)


class Dying(HttpxProvider):
    """The process that asks dies when the provider has answered, before it can write that down."""

    def charge(self, *, key: str, amount: int, currency: str, reference: str) -> Charged | Declined:
        super().charge(key=key, amount=amount, currency=currency, reference=reference)
        raise SystemExit("killed")

    def refund(self, *, key: str, charge: str, amount: int) -> Refunded:
        super().refund(key=key, charge=charge, amount=amount)
        raise SystemExit("killed")


@pytest.fixture
def dying(sandbox):
    provider = Dying(sandbox.url, "a key")
    yield provider
    provider.close()


def lapse() -> None:
    """The lease of whoever was asking is over."""
    Payment.objects.exclude(lease_until=None).update(lease_until=Now())


@pytest.mark.S2
def test_of_consumers_of_one_event_at_once_one_charges(sandbox, provider):
    order = an_order()
    created = event(order, "order.created")
    sandbox.script("payments", "delay", seconds=0.5, times=1)

    def consume() -> str:
        try:
            handle(created, provider)
        except Busy:
            return "busy"
        return "done"

    said = at_once(consume, 6)
    assert "done" in said
    assert len(sandbox.charges()) == sandbox.requests("payments") == 1
    handle(created, provider)  # as those that slept find it
    assert sandbox.requests("payments") == 1
    assert Event.objects.filter(type="payment.completed").count() == 1
    assert Handled.objects.get().outcome == "done"


@pytest.mark.S2
def test_refunds_racing_a_cancellation_give_back_what_was_paid_and_no_more(sandbox, provider):
    order = an_order()
    handle(event(order, "order.created"), provider)
    refunds: list[Envelope] = []
    for _ in range(3):
        refund_order(order=order, amount=euros(1200), reason="damaged")
        refunds.append(event(order, "order.refunded"))
    cancel_order(order=order, reason="customer_request")
    events = [*refunds, event(order, "order.cancelled")]

    all_at_once([patiently(each, provider) for each in [*events, *events]])

    (charge,) = sandbox.charges()
    assert charge.refunded == sum(each.amount for each in sandbox.refunds()) == 4990
    assert Payment.objects.get().refunded_minor == 4990
    assert {each.state for each in PaymentRefund.objects.all()} <= {"done", "covered"}
    assert Handled.objects.filter(outcome="done").count() == 5


def test_an_order_that_is_cancelled_while_it_is_charged_keeps_nothing(sandbox, provider):
    for _ in range(4):
        order = an_order()
        created = event(order, "order.created")
        cancel_order(order=order, reason="customer_request")
        all_at_once(
            [patiently(created, provider), patiently(event(order, "order.cancelled"), provider)]
        )
    assert all(charge.amount == charge.refunded for charge in sandbox.charges())
    assert not Payment.objects.exclude(state="void").exclude(refunded_minor=F("amount_minor"))


def test_a_charge_whose_process_died_is_looked_up_when_its_lease_is_over(sandbox, provider, dying):
    order = an_order()
    created = event(order, "order.created")
    with pytest.raises(SystemExit):
        handle(created, dying)
    assert Payment.objects.get().state == "charging"
    with pytest.raises(Busy, match="held") as raised:
        handle(created, provider)
    assert 0 < raised.value.seconds <= 2

    lapse()
    handle(created, provider)
    assert Payment.objects.get().provider_id == sandbox.charges()[0].id
    assert (sandbox.requests("payments"), sandbox.requests("payment-lookups")) == (1, 1)
    assert Event.objects.filter(type="payment.completed").count() == 1


def test_a_refund_whose_process_died_is_looked_up_when_its_lease_is_over(sandbox, provider, dying):
    order = an_order()
    handle(event(order, "order.created"), provider)
    refund_order(order=order, amount=euros(1200), reason="damaged")
    refunded = event(order, "order.refunded")
    with pytest.raises(SystemExit):
        handle(refunded, dying)
    assert PaymentRefund.objects.get().state == "refunding"

    lapse()
    handle(refunded, provider)
    assert PaymentRefund.objects.get().provider_id == sandbox.refunds()[0].id
    assert (sandbox.requests("payments"), sandbox.requests("payment-lookups")) == (2, 1)
    assert sandbox.charges()[0].refunded == Payment.objects.get().refunded_minor == 1200


def test_a_process_that_died_before_it_asked_has_charged_nothing_and_another_does(
    sandbox, provider
):
    order = an_order()
    Payment.objects.open(order, Payment.State.EXPECTED)
    Payment.objects.claim_charge(Payment.objects.get(), token=uuid4(), lease=0)

    handle(event(order, "order.created"), provider)
    assert len(sandbox.charges()) == 1
    assert sandbox.requests("payment-lookups") == 1


def test_an_answer_that_comes_after_the_lease_is_left_to_who_holds_it_now(sandbox, provider):
    """Both got the same answer, under one key; it is told once."""
    order = an_order()
    created = event(order, "order.created")

    class Overtaken(HttpxProvider):
        def charge(self, **asked):
            answer = super().charge(**asked)
            lapse()
            handle(created, provider)
            return answer

    late = Overtaken(sandbox.url, "a key")
    handle(created, late)
    late.close()
    assert Payment.objects.get().state == "completed"
    assert Event.objects.filter(type="payment.completed").count() == 1
    assert sandbox.requests("payments") == 1


def test_what_may_have_been_asked_for_is_not_called_off_but_given_back(sandbox, provider):
    """A request that nobody found yet may arrive: voided, it would charge a cancelled order."""
    order = an_order()
    sandbox.script("payments", "hang_up", times=1)
    with pytest.raises(TransientError):
        handle(event(order, "order.created"), provider)

    cancel_order(order=order, reason="customer_request")
    handle(event(order, "order.cancelled"), provider)
    (charge,) = sandbox.charges()
    assert charge.refunded == charge.amount
    assert Payment.objects.get().state == "completed"


def test_the_database_too_refuses_to_give_back_more_than_was_paid(sandbox, provider):
    order = an_order()
    handle(event(order, "order.created"), provider)
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.update(refunded_minor=4991)
    Payment.objects.update(state="void")
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.update(refunded_minor=1)
