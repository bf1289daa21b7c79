"""Products, orders and their lines. Amounts are whole minor units of the order's currency."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from orders_site.customers.models import Customer
from orders_site.orders.money import CURRENCIES, MAX_AMOUNT, Money

MAX_QUANTITY = 999
_CURRENCIES = [(code, code) for code in CURRENCIES]


def _amount(name: str, field: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=models.Q(**{f"{field}__gte": 0, f"{field}__lte": MAX_AMOUNT}), name=name
    )


class Product(models.Model):
    """Something we sell, in one currency."""

    sku = models.CharField(_("SKU"), max_length=40, unique=True)
    name = models.CharField(max_length=120)
    price_minor = models.BigIntegerField(help_text=_("In minor units: 1999 is 19.99 € or ¥1,999."))
    currency = models.CharField(max_length=3, choices=_CURRENCIES, default="EUR")

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        constraints = [_amount("product_price_bounded", "price_minor")]

    def __str__(self) -> str:
        return self.name

    @property
    def price(self) -> Money:
        return Money(self.currency, self.price_minor)


class OrderQuerySet(models.QuerySet["Order"]):
    """The transitions. Each is one conditional statement, so that of two at once one wins."""

    def mark_shipped(
        self, order_id: int, *, tracking_code: str, carrier: str, at: datetime
    ) -> bool:
        return self._move(
            order_id,
            from_states=[Order.State.PLACED],
            state=Order.State.SHIPPED,
            tracking_code=tracking_code,
            carrier=carrier,
            shipped_at=at,
        )

    def mark_cancelled(self, order_id: int, *, reason: Order.CancelReason, at: datetime) -> bool:
        return self._move(
            order_id,
            from_states=[Order.cancellable_from(reason)],
            state=Order.State.CANCELLED,
            cancel_reason=reason,
            cancelled_at=at,
        )

    def _move(self, order_id: int, *, from_states: list[str], **changes: object) -> bool:
        return bool(self.filter(pk=order_id, state__in=from_states).update(**changes))


class Order(models.Model):
    """One order. `orders_site.orders.services` are the verbs that make and move it."""

    class State(models.TextChoices):
        PLACED = "placed", _("placed")
        SHIPPED = "shipped", _("shipped")
        CANCELLED = "cancelled", _("cancelled")

    class CancelReason(models.TextChoices):
        CUSTOMER_REQUEST = "customer_request", _("the customer asked for it")
        OUT_OF_STOCK = "out_of_stock", _("out of stock")
        PAYMENT_FAILED = "payment_failed", _("the payment failed")
        LOST_IN_TRANSIT = "lost_in_transit", _("the parcel was lost")
        RETURNED_TO_SENDER = "returned_to_sender", _("the parcel came back")

    REFUNDABLE = (State.PLACED, State.SHIPPED)
    """Of a cancelled order all that was paid goes back without anybody's asking."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="orders")
    client = models.CharField(
        max_length=40,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text=_("The name of the API client that placed it; empty: the shop itself did."),
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.PLACED)
    currency = models.CharField(max_length=3, choices=_CURRENCIES)
    total_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text=_("Of the total, what its refunds owe back."),
    )
    placed_at = models.DateTimeField()
    carrier = models.CharField(max_length=40, blank=True)
    tracking_code = models.CharField(max_length=64, blank=True)
    shipped_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.CharField(max_length=20, choices=CancelReason.choices, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [
            _amount("order_total_bounded", "total_minor"),
            models.CheckConstraint(
                condition=models.Q(
                    refunded_minor__gte=0, refunded_minor__lte=models.F("total_minor")
                ),
                name="order_refunded_within_total",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "id"], name="order_by_state"),
            models.Index(
                fields=["client", "id"], condition=~models.Q(client=""), name="order_by_client"
            ),
            models.Index(
                fields=["client", "state", "id"],
                condition=~models.Q(client=""),
                name="order_by_client_and_state",
            ),
        ]
        permissions = [
            ("ship_order", "Can ship orders"),
            ("cancel_order", "Can cancel orders"),
            ("refund_order", "Can refund orders"),
        ]

    def __str__(self) -> str:
        return f"Order {self.pk}"

    @property
    def total(self) -> Money:
        return Money(self.currency, self.total_minor)

    @property
    def refunded(self) -> Money:
        """What its refunds owe back, carried out or not. A cancellation's are not among them."""
        return Money(self.currency, self.refunded_minor)

    @property
    def refundable(self) -> Money:
        """What can still be refunded: nothing of a cancelled order, which is refunded as it is."""
        left = self.total_minor - self.refunded_minor if self.state in self.REFUNDABLE else 0
        return Money(self.currency, left)

    @property
    def can_ship(self) -> bool:
        return self.state == Order.State.PLACED

    @property
    def can_cancel(self) -> bool:
        return any(self.cancellable_from(reason) == self.state for reason in Order.CancelReason)

    @staticmethod
    def cancellable_from(reason: CancelReason) -> State:
        """The state that this reason presumes: only what was shipped can be lost on its way."""
        lost = {Order.CancelReason.LOST_IN_TRANSIT, Order.CancelReason.RETURNED_TO_SENDER}
        return Order.State.SHIPPED if reason in lost else Order.State.PLACED

    @staticmethod
    def ways_out_of(state: str) -> list[str]:
        """What an order in `state` can still become, in words."""
        ways = [
            f"cancelled ({reason.value})"
            for reason in Order.CancelReason
            if Order.cancellable_from(reason) == state
        ]
        return [Order.State.SHIPPED.value, *ways] if state == Order.State.PLACED else ways


class OrderLine(models.Model):
    """What was bought, named and priced as it was on that day."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="+")
    sku = models.CharField(_("SKU"), max_length=40)
    name = models.CharField(max_length=120)
    quantity = models.PositiveIntegerField()
    unit_price_minor = models.BigIntegerField(
        help_text=_("In minor units of the order's currency.")
    )

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = [
            _amount("order_line_price_bounded", "unit_price_minor"),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1, quantity__lte=MAX_QUANTITY),
                name="order_line_quantity_bounded",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.name}"

    @property
    def unit_price(self) -> Money:
        return Money(self.order.currency, self.unit_price_minor)

    @property
    def total(self) -> Money:
        return self.unit_price * self.quantity


class Refund(models.Model):
    """A part of an order's price, or all of it, that the shop owes back."""

    class Reason(models.TextChoices):
        DAMAGED = "damaged", _("it arrived damaged")
        RETURNED = "returned", _("the customer sent it back")
        GOODWILL = "goodwill", _("goodwill")

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refunds")
    amount_minor = models.BigIntegerField(help_text=_("In minor units of the order's currency."))
    reason = models.CharField(max_length=20, choices=Reason.choices)
    refunded_at = models.DateTimeField()

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount_minor__gte=1, amount_minor__lte=MAX_AMOUNT),
                name="refund_amount_bounded",
            )
        ]

    def __str__(self) -> str:
        return f"{self.amount} of order {self.order_id}"

    @property
    def amount(self) -> Money:
        return Money(self.order.currency, self.amount_minor)
