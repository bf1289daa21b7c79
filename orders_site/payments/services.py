"""What payments do for an order: each event notes its wish, and `settle` carries out what is due.

So events may come in any order, twice, or at the same moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.db import transaction

from orders_site.orders.models import Order
from orders_site.payments import signals
from orders_site.payments.exceptions import (
    Held,
    OtherAmount,
    PaymentError,
    PaymentRefused,
    Unanswered,
)
from orders_site.payments.models import Payment, PaymentRefund
from orders_site.payments.provider import Charged, Declined, Provider, Refunded

MARGIN = 2.0
"""Seconds of a lease beyond the two requests that it covers: a look-up and what follows it."""

_MAY_BE_DONE = (Unanswered, OtherAmount)


def expect_charge(*, order_id: int) -> None:
    """The order's total is to be charged; never, where the order is known to be cancelled."""
    order = _order(order_id)
    cancelled = order.state == Order.State.CANCELLED
    Payment.objects.open(order, Payment.State.VOID if cancelled else Payment.State.EXPECTED)


def owe_refund(
    *, order_id: int, key: str, amount_minor: int | None, currency: str | None = None
) -> None:
    """So much of the order's charge, or all that is left of it, is to be given back.

    It may not have been charged yet: the refund is due until it is. Raises PaymentRefused for
    an amount that is none, or in another currency than the order's.
    """
    order = _order(order_id)
    if currency not in (None, order.currency):
        raise PaymentRefused("currency_mismatch", f"order/{order_id} is in {order.currency}")
    if amount_minor is not None and amount_minor < 1:
        raise PaymentRefused("no_amount", f"{amount_minor} minor units of order/{order_id}")
    wanted = None if amount_minor is None else min(amount_minor, order.total_minor) or None
    PaymentRefund.objects.owe(order, key=key, wanted_minor=wanted)


def call_off(*, order_id: int) -> None:
    """The order was cancelled: it is not charged any more, or what was charged is given back.

    A charge that may have been asked for already is not called off: under its key it is made, or
    found to have been made, and given back. Only so can none turn up that nobody knows of.
    """
    order = _order(order_id)
    with transaction.atomic():
        Payment.objects.open(order, Payment.State.VOID)
        payment, _ = Payment.objects.locked(order_id)
        if payment is None or Payment.objects.void(payment):
            return
        if payment.state in (Payment.State.CHARGING, Payment.State.COMPLETED):
            key = f"refund-cancelled-{order_id}"
            PaymentRefund.objects.owe(order, key=key, wanted_minor=None)


def settle(*, order_id: int, provider: Provider, closing: Callable[[], object]) -> None:
    """Charge what is to be charged, then give back what is due.

    `closing` is called in the transaction after which nothing is left to do, which is also the
    one that keeps the provider's last answer. Raises Held while somebody else is at it, and what
    the provider raises; what is left then is done by whoever settles next. A refund that is refused
    for good holds up no other.
    """
    refused: dict[int, PaymentRefused] = {}
    with transaction.atomic():
        step = _next_step(order_id, provider, closing, refused)
    while step is not None:
        try:
            answer = step.ask(provider)  # outside any transaction, holding nothing but the lease
        except PaymentError as error:
            step.give_up(error)
            if not (isinstance(step, _Refund) and isinstance(error, PaymentRefused)):
                raise
            refused[step.refund.pk] = error
            with transaction.atomic():
                step = _next_step(order_id, provider, closing, refused)
        else:
            with transaction.atomic():
                step.record(answer)
                step = _next_step(order_id, provider, closing, refused)
    for error in refused.values():
        raise error


@dataclass(frozen=True)
class _Charge:
    """in_doubt: the provider may have been asked before."""

    payment: Payment
    token: UUID
    in_doubt: bool

    def ask(self, provider: Provider) -> Charged | Declined:
        payment = self.payment
        found = provider.find_charge(key=payment.key) if self.in_doubt else None
        answer = found or provider.charge(
            key=payment.key,
            amount=payment.amount_minor,
            currency=payment.currency,
            reference=f"order/{payment.order_id}",
        )
        ours = payment.amount_minor, payment.currency
        if isinstance(answer, Charged) and not answer.is_of(*ours):
            raise OtherAmount(payment.key)
        return answer

    def record(self, answer: Charged | Declined) -> None:
        """Whoever lost the lease leaves it to the next holder, who gets the same answer."""
        if Payment.objects.release(self.payment, self.token):
            _record_charge(self.payment, answer)

    def give_up(self, error: PaymentError) -> None:
        doubtful = self.in_doubt or isinstance(error, _MAY_BE_DONE)
        state = Payment.State.CHARGING if doubtful else Payment.State.EXPECTED
        Payment.objects.release(self.payment, self.token, state=state)


@dataclass(frozen=True)
class _Refund:
    """in_doubt: the provider may have been asked before."""

    payment: Payment
    refund: PaymentRefund
    amount: int
    token: UUID
    in_doubt: bool

    def ask(self, provider: Provider) -> Refunded:
        found = provider.find_refund(key=self.refund.key) if self.in_doubt else None
        answer = found or provider.refund(
            key=self.refund.key, charge=self.payment.provider_id, amount=self.amount
        )
        if not self._is_what_was_asked(answer):
            raise OtherAmount(self.refund.key)
        return answer

    def record(self, answer: Refunded) -> None:
        if Payment.objects.release(self.payment, self.token):
            given_back = self.amount if answer.amount is None else answer.amount
            if given_back < self.amount:
                Payment.objects.take_back(self.payment, self.amount - given_back)
            PaymentRefund.objects.finish(self.refund, answer.provider_id, given_back)

    def _is_what_was_asked(self, answer: Refunded) -> bool:
        """Of all that is left there was less, maybe, when it was asked for by a process whose notes
        are gone: what a part of it went back by is found then, too."""
        if answer.charge not in ("", self.payment.provider_id):
            return False
        if answer.amount in (None, self.amount):
            return True
        return self.refund.wanted_minor is None and 1 <= answer.amount < self.amount

    def give_up(self, error: PaymentError) -> None:
        with transaction.atomic():
            released = Payment.objects.release(self.payment, self.token)
            if released and not (self.in_doubt or isinstance(error, _MAY_BE_DONE)):
                PaymentRefund.objects.put_back(self.refund)
                Payment.objects.take_back(self.payment, self.amount)


def _next_step(
    order_id: int,
    provider: Provider,
    closing: Callable[[], object],
    refused: dict[int, PaymentRefused],
) -> _Charge | _Refund | None:
    """What the provider is to be asked next, claimed by a lease; None if nothing is: closed then,
    unless a refund is left that was refused."""
    payment, held_for = Payment.objects.locked(order_id)
    if held_for:
        raise Held(held_for)
    lease = 2 * provider.patience + MARGIN
    step: _Charge | _Refund | None = None
    if payment is not None:
        step = _claim_charge(payment, lease) or _claim_refund(payment, lease, refused)
    if step is None and not refused:
        closing()
    return step


def _claim_charge(payment: Payment, lease: float) -> _Charge | None:
    if payment.state not in (Payment.State.EXPECTED, Payment.State.CHARGING):
        return None
    if _is_called_off(payment):
        return None
    token = uuid4()
    Payment.objects.claim_charge(payment, token=token, lease=lease)
    if not payment.amount_minor:  # a gift: no provider takes nothing
        Payment.objects.release(payment, token)
        _record_charge(payment, Charged(""))
        return None
    return _Charge(payment, token, in_doubt=payment.state == Payment.State.CHARGING)


def _is_called_off(payment: Payment) -> bool:
    """Whether the order was cancelled before anybody asked for its charge. The event that says so
    may still be on its way: charging and giving back again costs the provider's fee."""
    cancelled = Order.objects.filter(pk=payment.order_id, state=Order.State.CANCELLED)
    if payment.state != Payment.State.EXPECTED or not cancelled.exists():
        return False
    Payment.objects.void(payment)
    payment.refresh_from_db()
    return True


def _claim_refund(
    payment: Payment, lease: float, refused: dict[int, PaymentRefused]
) -> _Refund | None:
    """The first refund for which something is left; those before it are covered. One that was
    refused just now is passed over, and forgotten to be once nothing is left for it."""
    if payment.state in (Payment.State.EXPECTED, Payment.State.CHARGING):
        return None
    for refund in PaymentRefund.objects.open(payment.order_id):
        token = uuid4()
        payable = refund.payable_of(payment.left_minor)
        is_under_way = refund.state == PaymentRefund.State.REFUNDING
        if refund.pk in refused and (is_under_way or payable):
            continue
        if is_under_way:
            amount = refund.amount_minor or 0
            Payment.objects.claim_refund(payment, 0, token=token, lease=lease)
            return _Refund(payment, refund, amount, token, in_doubt=True)
        if payable:
            PaymentRefund.objects.claim(refund, payable)
            Payment.objects.claim_refund(payment, payable, token=token, lease=lease)
            return _Refund(payment, refund, payable, token, in_doubt=False)
        PaymentRefund.objects.cover(refund)
        refused.pop(refund.pk, None)
    return None


def _record_charge(payment: Payment, answer: Charged | Declined) -> None:
    if isinstance(answer, Charged):
        Payment.objects.complete(payment, answer.provider_id)
        signal = signals.payment_completed
    else:
        Payment.objects.fail(payment, answer.code)
        signal = signals.payment_failed
    payment.refresh_from_db()
    signal.send(sender=Payment, payment=payment)


def _order(order_id: int) -> Order:
    try:
        return Order.objects.get(pk=order_id)
    except Order.DoesNotExist:
        raise PaymentRefused("no_such_order", f"there is no order/{order_id} here") from None
