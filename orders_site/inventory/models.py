"""What is in stock, and what of it was taken for which order."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from orders_site.orders.models import Order, Product

MOST = 1_000_000_000
"""Pieces that a person may enter: a slip of the finger is refused, and sums stay in a bigint."""


class StockQuerySet(models.QuerySet["StockItem"]):
    def locked(self) -> StockQuerySet:
        """These rows as they are and stay until the transaction ends.

        Everybody locks in the order of the primary key, which never changes: so no two who want
        several rows wait for each other.
        """
        return self.order_by("pk").select_for_update(of=("self",)).select_related("product")


class StockItem(models.Model):
    """A product that is kept in stock. One without a row here is made to order: never short.

    `on_hand` is what can still be promised; what was taken for an order is no longer in it.
    """

    product = models.OneToOneField(Product, on_delete=models.PROTECT, related_name="stock")
    on_hand = models.BigIntegerField(help_text=_("Pieces that can still be promised."))
    reorder_threshold = models.BigIntegerField(
        default=0, help_text=_("More is ordered when fewer than this are on hand; 0: never.")
    )
    low_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("Below the threshold since then.")
    )

    objects = StockQuerySet.as_manager()

    class Meta:
        verbose_name = _("stock item")
        verbose_name_plural = _("stock items")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(on_hand__gte=0), name="stock_never_below_zero"
            ),
            models.CheckConstraint(
                condition=models.Q(reorder_threshold__gte=0), name="stock_threshold_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product.sku}: {self.on_hand} on hand"

    @property
    def is_below_threshold(self) -> bool:
        return self.on_hand < self.reorder_threshold


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def enter(self, order: Order, state: Reservation.State) -> tuple[Reservation, bool]:
        """The order's reservation, locked, and whether it was made just now, in `state`.

        Of two at once for one order, the second waits for the first and is given its row.
        """
        return self.select_for_update().get_or_create(order=order, defaults={"state": state})


class Reservation(models.Model):
    """What an order has taken from stock. One for each order, made by whichever message is first.

    A cancelled order has one too, whether or not anything was taken: it is what keeps a message
    that comes late from taking something.
    """

    class State(models.TextChoices):
        RESERVED = "reserved", _("reserved")
        SHORT = "short", _("short")
        RELEASED = "released", _("released")

    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="reservation")
    state = models.CharField(max_length=10, choices=State.choices)
    short_of = ArrayField(
        models.CharField(max_length=40),
        default=list,
        blank=True,
        help_text=_("SKUs of which there was not enough, so that nothing was taken."),
    )
    made_at = models.DateTimeField(db_default=Now(), editable=False)
    released_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ReservationQuerySet.as_manager()

    class Meta:
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        indexes = [models.Index(fields=["state", "id"], name="reservation_by_state")]

    def __str__(self) -> str:
        return f"Stock of order {self.order_id}"


class ReservationLineQuerySet(models.QuerySet["ReservationLine"]):
    def reserved(self, items: Iterable[StockItem]) -> dict[int, int]:
        """By item: the pieces taken for orders that have not left yet; without those of none."""
        waiting = self.filter(
            item__in=items,
            reservation__state=Reservation.State.RESERVED,
            reservation__order__state=Order.State.PLACED,
        )
        return dict(waiting.values_list("item").annotate(pieces=models.Sum("quantity")).order_by())


class ReservationLine(models.Model):
    """So many of this were taken, whatever the order's lines say later."""

    reservation = models.ForeignKey(Reservation, on_delete=models.CASCADE, related_name="lines")
    item = models.ForeignKey(StockItem, on_delete=models.PROTECT, related_name="taken")
    quantity = models.PositiveIntegerField()

    objects = ReservationLineQuerySet.as_manager()

    class Meta:
        verbose_name = _("reservation line")
        verbose_name_plural = _("reservation lines")
        constraints = [
            models.UniqueConstraint(
                fields=["reservation", "item"], name="reservation_line_once_per_item"
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1), name="reservation_line_takes_something"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.item.product.sku}"
