"""Payments and what is given back of them. Amounts are whole minor units of the order's currency.

One lease on the payment guards both: of an order's charge and refunds one is asked for at a time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from orders_site.orders.models import Order
from orders_site.orders.money import CURRENCIES, MAX_AMOUNT, Money


def _lease(token: UUID, seconds: float) -> dict[str, Any]:
    return {"token": token, "lease_until": Now() + timedelta(seconds=seconds)}


class PaymentQuerySet(models.QuerySet["Payment"]):
    """The transitions. Each is one statement from its legal states."""

    def open(self, order: Order, state: Payment.State) -> None:
        """Begin the order's payment, unless it was begun."""
        payment = Payment(
            order=order, state=state, amount_minor=order.total_minor, currency=order.currency
        )
        self.bulk_create([payment], ignore_conflicts=True)

    def locked(self, order_id: int) -> tuple[Payment | None, float]:
        """The order's payment, as it stays until the transaction ends, and for how many seconds
        somebody may still be asking the provider about it."""
        row = self.select_for_update().filter(order_id=order_id)
        payment = row.annotate(held_for=F("lease_until") - Now()).first()
        held_for: timedelta | None = vars(payment)["held_for"] if payment else None
        return payment, max(0.0, held_for.total_seconds()) if held_for else 0.0

    def void(self, payment: Payment) -> bool:
        """It will never be charged."""
        row = self.filter(pk=payment.pk, state=Payment.State.EXPECTED)
        return bool(row.update(state=Payment.State.VOID, settled_at=Now()))

    def claim_charge(self, payment: Payment, *, token: UUID, lease: float) -> bool:
        """The provider is about to be asked for the charge, or what became of it."""
        row = self.filter(pk=payment.pk, state__in=[Payment.State.EXPECTED, Payment.State.CHARGING])
        return bool(row.update(state=Payment.State.CHARGING, **_lease(token, lease)))

    def claim_refund(self, payment: Payment, amount: int, *, token: UUID, lease: float) -> bool:
        """So much of it is about to be given back, and counts as such from now on."""
        row = self.filter(pk=payment.pk, state=Payment.State.COMPLETED)
        given_back = F("refunded_minor") + amount
        return bool(row.update(refunded_minor=given_back, **_lease(token, lease)))

    def take_back(self, payment: Payment, amount: int) -> bool:
        """So much was not given back after all."""
        row = self.filter(pk=payment.pk, refunded_minor__gte=amount)
        return bool(row.update(refunded_minor=F("refunded_minor") - amount))

    def complete(self, payment: Payment, provider_id: str) -> bool:
        """The money was taken."""
        return self._settle(payment, state=Payment.State.COMPLETED, provider_id=provider_id)

    def fail(self, payment: Payment, decline_code: str) -> bool:
        """The charge was declined."""
        return self._settle(payment, state=Payment.State.FAILED, decline_code=decline_code)

    def release(self, payment: Payment, token: UUID, **changes: object) -> bool:
        """The holder of the lease is done with the provider."""
        row = self.filter(pk=payment.pk, token=token)
        return bool(row.update(token=None, lease_until=None, **changes))

    def _settle(self, payment: Payment, **changes: object) -> bool:
        row = self.filter(pk=payment.pk, state=Payment.State.CHARGING)
        return bool(row.update(settled_at=Now(), **changes))


class Payment(models.Model):
    """What one order costs, and whether it was paid.

    `charging` is said before the provider is asked and until its answer is known, so an answer
    that never came leaves it so. Without its lease, nobody is asking.
    """

    class State(models.TextChoices):
        EXPECTED = "expected", _("expected")
        CHARGING = "charging", _("charging")
        COMPLETED = "completed", _("completed")
        FAILED = "failed", _("declined")
        VOID = "void", _("never charged")

    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="payment")
    state = models.CharField(max_length=10, choices=State.choices, default=State.EXPECTED)
    amount_minor = models.BigIntegerField(help_text=_("In minor units of the currency."))
    refunded_minor = models.BigIntegerField(
        default=0, db_default=0, help_text=_("Of the amount, what was or is being given back.")
    )
    currency = models.CharField(max_length=3, choices=[(code, code) for code in CURRENCIES])
    provider_id = models.CharField(max_length=255, blank=True)
    decline_code = models.CharField(max_length=40, blank=True)
    token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0, amount_minor__lte=MAX_AMOUNT),
                name="payment_amount_bounded",
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor=0)
                | Q(state="completed", refunded_minor__gt=0, refunded_minor__lte=F("amount_minor")),
                name="payment_refunded_within_paid",
            ),
            models.CheckConstraint(
                condition=Q(token__isnull=True, lease_until__isnull=True)
                | Q(
                    token__isnull=False,
                    lease_until__isnull=False,
                    state__in=["charging", "completed"],
                ),
                name="payment_lease_has_a_holder",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "id"], name="payment_by_state"),
            models.Index(
                fields=["provider_id"],
                condition=~Q(provider_id=""),
                name="payment_by_provider_id",
            ),
        ]

    def __str__(self) -> str:
        return f"Payment of order {self.order_id}"

    @property
    def key(self) -> str:
        """Under which the provider takes the money once, however often it is asked."""
        return f"charge-{self.order_id}"

    @property
    def amount(self) -> Money:
        return Money(self.currency, self.amount_minor)

    @property
    def refunded(self) -> Money:
        return Money(self.currency, self.refunded_minor)

    @property
    def paid_minor(self) -> int:
        return self.amount_minor if self.state == Payment.State.COMPLETED else 0

    @property
    def left_minor(self) -> int:
        """Of what was paid, what was not given back."""
        return self.paid_minor - self.refunded_minor


class PaymentRefundQuerySet(models.QuerySet["PaymentRefund"]):
    """The transitions. Each is one statement from its legal states."""

    def owe(self, order: Order, *, key: str, wanted_minor: int | None) -> None:
        """Note what is to be given back, once for each key."""
        refund = PaymentRefund(order=order, key=key, wanted_minor=wanted_minor)
        self.bulk_create([refund], ignore_conflicts=True)

    def open(self, order_id: int) -> models.QuerySet[PaymentRefund]:
        """What is still to be given back of the order's payment, in the order of asking."""
        states = [PaymentRefund.State.DUE, PaymentRefund.State.REFUNDING]
        return self.filter(order_id=order_id, state__in=states).order_by("pk")

    def claim(self, refund: PaymentRefund, amount: int) -> bool:
        """The provider is about to be asked for so much of it."""
        return self._move(
            refund, PaymentRefund.State.DUE, PaymentRefund.State.REFUNDING, amount_minor=amount
        )

    def put_back(self, refund: PaymentRefund) -> bool:
        """Nothing was given back: it is due as before."""
        return self._move(
            refund, PaymentRefund.State.REFUNDING, PaymentRefund.State.DUE, amount_minor=None
        )

    def finish(self, refund: PaymentRefund, provider_id: str, amount: int) -> bool:
        """So much money was given back."""
        return self._move(
            refund,
            PaymentRefund.State.REFUNDING,
            PaymentRefund.State.DONE,
            provider_id=provider_id,
            amount_minor=amount,
            settled_at=Now(),
        )

    def cover(self, refund: PaymentRefund) -> bool:
        """Nothing is left of what was paid, or nothing was: there is nothing to give back."""
        return self._move(
            refund, PaymentRefund.State.DUE, PaymentRefund.State.COVERED, settled_at=Now()
        )

    def _move(self, refund: PaymentRefund, from_state: str, to: str, **changes: object) -> bool:
        return bool(self.filter(pk=refund.pk, state=from_state).update(state=to, **changes))


class PaymentRefund(models.Model):
    """One wish that money is given back, and what became of it. It may come before the charge."""

    class State(models.TextChoices):
        DUE = "due", _("due")
        REFUNDING = "refunding", _("refunding")
        DONE = "done", _("done")
        COVERED = "covered", _("nothing left")

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="payment_refunds")
    key = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DUE)
    wanted_minor = models.BigIntegerField(
        null=True, blank=True, help_text=_("Minor units; empty: all that is left.")
    )
    amount_minor = models.BigIntegerField(
        null=True, blank=True, help_text=_("Minor units that the provider is asked for.")
    )
    provider_id = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = PaymentRefundQuerySet.as_manager()

    class Meta:
        verbose_name = _("payment refund")
        verbose_name_plural = _("payment refunds")
        constraints = [
            models.CheckConstraint(
                condition=Q(wanted_minor__isnull=True)
                | Q(wanted_minor__gte=1, wanted_minor__lte=MAX_AMOUNT),
                name="payment_refund_wanted_bounded",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["due", "covered"], amount_minor__isnull=True)
                | Q(
                    state__in=["refunding", "done"],
                    amount_minor__gte=1,
                    amount_minor__lte=MAX_AMOUNT,
                ),
                name="payment_refund_amount_bounded",
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def wanted(self) -> Money | None:
        """None: all that is left."""
        return self._money(self.wanted_minor)

    @property
    def amount(self) -> Money | None:
        """What the provider is asked for; None until it is."""
        return self._money(self.amount_minor)

    def _money(self, minor: int | None) -> Money | None:
        return None if minor is None else Money(self.order.currency, minor)

    def payable_of(self, left_minor: int) -> int:
        """How much of it can be given back while so much is left."""
        return left_minor if self.wanted_minor is None else min(self.wanted_minor, left_minor)
