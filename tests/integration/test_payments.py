"""An order is charged once, and never more is given back than was paid, in whatever order it comes.

What happened is asked of the provider, which is the sandbox over its real HTTP API.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from notifications.envelope import Envelope
from notifications.exceptions import PermanentError, ProviderPaused, TransientError
from notifications.identifiers import uuid7
from notifications.local.ports import free_port
from notifications.models import Breaker, Event, Handled
from orders_site.orders.models import Order
from orders_site.orders.services import Line, cancel_order, refund_order
from orders_site.payments.consumers import CONSUMER, handle
from orders_site.payments.doubting_provider import DoubtingProvider
from orders_site.payments.httpx_provider import HttpxProvider
from orders_site.payments.models import Payment, PaymentRefund
from orders_site.payments.watched_provider import WatchedProvider
from tests.integration.charges import euros, event
from tests.shop import a_product, an_order

pytestmark = pytest.mark.django_db


def done(order: Order) -> dict[str, Any]:
    """The types of events of this order that payments say they have done."""
    rows = Handled.objects.filter(subject=f"order/{order.pk}", consumer="payments")
    return dict(rows.values_list("event_type", "outcome"))


@pytest.mark.S2
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


@pytest.mark.S2
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


@pytest.mark.S2
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


@pytest.mark.S2
def test_an_order_cancelled_before_its_creation_is_heard_of_is_never_charged(sandbox, provider):
    order = an_order()
    created = event(order, "order.created")
    cancel_order(order=order, reason="customer_request")
    handle(event(order, "order.cancelled"), provider)
    handle(created, provider)

    assert Payment.objects.get().state == "void"
    assert sandbox.charges() == []
    assert done(order) == {"order.created": "done", "order.cancelled": "done"}


@pytest.mark.S2
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


def test_a_charge_that_was_put_back_is_not_made_of_an_order_cancelled_since(sandbox, provider):
    """Its next try comes before the message that says so: no fee is paid for there and back."""
    order = an_order()
    created = event(order, "order.created")
    sandbox.script("payments", "throttle", times=1)
    with pytest.raises(TransientError):
        handle(created, provider)
    refund_order(order=order, amount=euros(1500), reason="goodwill")
    refunded = event(order, "order.refunded")
    cancel_order(order=order, reason="customer_request")

    for each in (refunded, created, event(order, "order.cancelled")):
        handle(each, provider)
    assert sandbox.charges() == []
    assert Payment.objects.get().state == "void"
    assert PaymentRefund.objects.get().state == "covered"
    assert Handled.objects.filter(outcome="done").count() == 3
    assert not Event.objects.filter(type__startswith="payment.").exists()


def test_a_refund_that_is_refused_for_good_holds_up_no_other(sandbox, provider):
    order = an_order()
    handle(event(order, "order.created"), provider)
    first = refund_order(order=order, amount=euros(1500), reason="damaged")
    refused, address = event(order, "order.refunded"), f"refund-{first.pk}"
    sandbox.script("payments", "refuse", code="not_in_part", address=address, times=10)
    with pytest.raises(PermanentError, match="not_in_part"):
        handle(refused, provider)
    refund_order(order=order, amount=euros(1000), reason="goodwill")
    with pytest.raises(PermanentError, match="not_in_part"):
        handle(event(order, "order.refunded"), provider)
    assert sandbox.charges()[0].refunded == Payment.objects.get().refunded_minor == 1000

    cancel_order(order=order, reason="customer_request")
    handle(event(order, "order.cancelled"), provider)
    assert sandbox.charges()[0].refunded == 4990
    handle(refused, provider)
    assert dict(PaymentRefund.objects.values_list("key", "state"))[address] == "covered"
    assert sandbox.charges()[0].refunded == Payment.objects.get().refunded_minor == 4990


@pytest.mark.S2
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


def test_a_charge_of_another_amount_under_its_key_pays_no_order_and_is_a_persons(sandbox, provider):
    """Of another database with the same account: staging, or one that was made anew."""
    order = an_order()
    provider.charge(
        key=f"charge-{order.pk}", amount=100, currency="EUR", reference=f"order/{order.pk}"
    )
    for _ in range(2):
        with pytest.raises(PermanentError, match="other_amount"):
            handle(event(order, "order.created"), DoubtingProvider(provider))

    assert Payment.objects.get().state == "charging"
    assert not Event.objects.filter(type="payment.completed").exists()
    assert [each.amount for each in sandbox.charges()] == [100]


def test_a_refund_of_another_amount_under_its_key_gives_nothing_back(sandbox, provider):
    order = an_order()
    handle(event(order, "order.created"), provider)
    refund = refund_order(order=order, amount=euros(1500), reason="damaged")
    (charge,) = sandbox.charges()
    provider.refund(key=f"refund-{refund.pk}", charge=charge.id, amount=200)
    for _ in range(2):
        with pytest.raises(PermanentError, match="other_amount"):
            handle(event(order, "order.refunded"), DoubtingProvider(provider))

    assert PaymentRefund.objects.get().state == "refunding"
    assert Payment.objects.get().refunded_minor == 1500


def test_what_was_given_back_before_its_notes_were_lost_is_found_in_any_order(sandbox, provider):
    """A restored database asks for all that is left: a part of it went back by another refund."""
    order = an_order()
    handle(event(order, "order.created"), provider)
    (charge,) = sandbox.charges()
    part = refund_order(order=order, amount=euros(1500), reason="damaged")
    cancel_order(order=order, reason="customer_request")
    provider.refund(key=f"refund-{part.pk}", charge=charge.id, amount=1500)
    provider.refund(key=f"refund-cancelled-{order.pk}", charge=charge.id, amount=3490)

    for kind in ("order.cancelled", "order.refunded"):
        handle(event(order, kind), DoubtingProvider(provider))

    given_back = dict(PaymentRefund.objects.values_list("key", "amount_minor"))
    assert given_back == {f"refund-{part.pk}": 1500, f"refund-cancelled-{order.pk}": 3490}
    assert Payment.objects.get().refunded_minor == sandbox.charges()[0].refunded == 4990


def test_all_that_is_left_is_not_found_given_back_of_another_charge(sandbox, provider):
    order, other = an_order(), an_order()
    for each in (order, other):
        handle(event(each, "order.created"), provider)
    cancel_order(order=order, reason="customer_request")
    elsewhere = Payment.objects.get(order=other).provider_id
    provider.refund(key=f"refund-cancelled-{order.pk}", charge=elsewhere, amount=100)
    with pytest.raises(PermanentError, match="other_amount"):
        handle(event(order, "order.cancelled"), DoubtingProvider(provider))


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


def a_foreign(kind: str, order: Order, **data: Any) -> Envelope:
    """Of another publisher, who gives what it likes."""
    return Envelope(
        id=uuid7(),
        type=kind,
        version=1,
        source="foreign",
        subject=f"order/{order.pk}",
        time=datetime.now(UTC),
        data={"order_id": order.pk, **data},
        foreign=True,
    )


def test_another_publishers_refund_without_an_amount_gives_back_the_rest(sandbox, provider):
    order = an_order()
    handle(event(order, "order.created"), provider)
    refund_order(order=order, amount=euros(1500), reason="damaged")
    ours = event(order, "order.refunded")
    theirs = a_foreign("order.refunded", order, refund_id=ours.data["refund_id"])
    for _ in range(2):
        handle(ours, provider)
        handle(theirs, provider)

    assert [(each.key, each.amount) for each in sandbox.refunds()] == [
        (f"refund-{ours.data['refund_id']}", 1500),
        (f"refund-{theirs.id}", 3490),
    ]


def test_of_refunds_beyond_what_was_paid_only_the_rest_is_given_back(sandbox, provider):
    order = an_order()
    handle(event(order, "order.created"), provider)
    for amount in (4000, 4000, 4000):
        handle(a_foreign("order.refunded", order, amount_minor=amount), provider)

    assert [each.amount for each in sandbox.refunds()] == [4000, 990]
    states = PaymentRefund.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["done", "done", "covered"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"amount_minor": 0}, "no_amount"),
        ({"amount_minor": 100, "currency": "USD"}, "currency_mismatch"),
    ],
)
def test_a_refund_of_nothing_or_of_other_money_is_given_up(
    sandbox, provider, data: dict[str, Any], code: str
):
    order = an_order()
    with pytest.raises(PermanentError, match=code):
        handle(a_foreign("order.refunded", order, **data), provider)
    assert not PaymentRefund.objects.exists()


@pytest.mark.parametrize("kind", ["order.created", "order.refunded", "order.cancelled"])
def test_an_order_that_is_not_here_is_given_up(sandbox, provider, kind: str):
    stray = replace(a_foreign(kind, Order(pk=10**9)), subject="order/1000000000")
    with pytest.raises(PermanentError, match="no_such_order"):
        handle(stray, provider)
    assert sandbox.requests("payments") == 0


def test_nothing_is_given_back_of_a_declined_charge(sandbox, provider):
    order = an_order()
    sandbox.script("payments", "refuse", code="card_declined", times=1)
    refund_order(order=order, amount=euros(1500), reason="damaged")
    handle(event(order, "order.refunded"), provider)
    handle(event(order, "order.created"), provider)
    cancel_order(order=order, reason="payment_failed")
    handle(event(order, "order.cancelled"), provider)

    assert Payment.objects.get().state == "failed"
    assert PaymentRefund.objects.get().state == "covered"
    assert sandbox.refunds() == []


def test_an_order_that_costs_nothing_is_paid_without_a_provider(sandbox, provider):
    order = an_order(lines=[Line(a_product(price_minor=0))])
    handle(event(order, "order.created"), provider)
    cancel_order(order=order, reason="customer_request")
    handle(event(order, "order.cancelled"), provider)

    assert Payment.objects.get().state == "completed"
    assert Event.objects.get(type="payment.completed").data["amount_minor"] == 0
    assert sandbox.requests("payments") == 0


def test_a_refund_that_is_throttled_is_due_again_and_then_made(sandbox, provider):
    order = an_order()
    handle(event(order, "order.created"), provider)
    refund_order(order=order, amount=euros(1500), reason="damaged")
    sandbox.script("payments", "throttle", retry_after=3, times=1)
    with pytest.raises(TransientError, match="too_many_requests"):
        handle(event(order, "order.refunded"), provider)
    assert PaymentRefund.objects.get().state == "due"
    assert Payment.objects.get().refunded_minor == 0

    handle(event(order, "order.refunded"), provider)
    assert sandbox.charges()[0].refunded == 1500


def test_a_refund_whose_answer_was_lost_is_looked_up_and_not_repeated(sandbox, provider):
    order = an_order()
    handle(event(order, "order.created"), provider)
    cancel_order(order=order, reason="customer_request")
    sandbox.script("payments", "accept_then_drop", times=1)
    with pytest.raises(TransientError, match="connection_lost"):
        handle(event(order, "order.cancelled"), provider)
    assert PaymentRefund.objects.get().state == "refunding"

    handle(event(order, "order.cancelled"), provider)
    assert [each.amount for each in sandbox.refunds()] == [4990]
    assert (sandbox.requests("payments"), sandbox.requests("payment-lookups")) == (2, 1)


def test_a_charge_that_was_not_answered_in_time_is_looked_up_though_it_comes_late(
    sandbox, provider
):
    """It is not there yet when it is looked for: repeated under its key it is made once."""
    order = an_order()
    impatient = HttpxProvider(sandbox.url, "a key", read_timeout=0.2)
    sandbox.script("payments", "delay", seconds=1, times=1)
    with pytest.raises(TransientError, match="read_timeout"):
        handle(event(order, "order.created"), impatient)
    impatient.close()

    handle(event(order, "order.created"), provider)
    assert sandbox.requests("payment-lookups") == 1
    assert len(sandbox.charges()) == 1
    assert Payment.objects.get().provider_id == sandbox.charges()[0].id


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_failed_is_asked_what_it_did_before_that(sandbox, provider, status: int):
    order = an_order()
    sandbox.script("payments", "server_error", status=status, retry_after=5, times=1)
    with pytest.raises(TransientError) as raised:
        handle(event(order, "order.created"), provider)
    assert raised.value.retry_after == 5
    assert Payment.objects.get().state == "charging"

    handle(event(order, "order.created"), provider)
    assert sandbox.requests("payment-lookups") == 1
    assert len(sandbox.charges()) == 1


def test_a_provider_that_cannot_be_reached_has_done_nothing(sandbox):
    order = an_order()
    nobody = HttpxProvider(f"http://127.0.0.1:{free_port()}", "a key", connect_timeout=0.5)
    with pytest.raises(TransientError, match="not_connected"):
        handle(event(order, "order.created"), nobody)
    nobody.close()
    assert Payment.objects.get().state == "expected"


def test_a_provider_that_refuses_the_account_is_left_alone_until_it_takes_a_charge(
    sandbox, provider
):
    order = an_order()
    watched = WatchedProvider(provider, CONSUMER)
    sandbox.script("payments", "refuse", code="unauthorized", times=1)
    with pytest.raises(ProviderPaused, match="unauthorized"):
        handle(event(order, "order.created"), watched)
    assert Breaker.objects.get().account == CONSUMER
    assert Breaker.objects.get().state == Breaker.State.OPEN

    handle(event(order, "order.created"), watched)
    assert Payment.objects.get().state == "completed"
    assert Breaker.objects.get().state == Breaker.State.CLOSED


def test_events_that_come_backwards_and_again_keep_what_is_due(sandbox, provider):
    """The charge last, three refunds before it, and then everything once more."""
    order = an_order()
    events = [event(order, "order.created")]
    for _ in range(3):
        refund_order(order=order, amount=euros(1000), reason="damaged")
        events.append(event(order, "order.refunded"))
    for each in [*reversed(events), *events]:
        handle(each, provider)

    assert Payment.objects.get().refunded_minor == sandbox.charges()[0].refunded == 3000
    assert len(sandbox.charges()) == 1
