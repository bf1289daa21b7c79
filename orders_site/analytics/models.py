"""What happened, a row for each event, and each day's figures made of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from django.db import connections, models
from django.db.models.functions import Now, TruncDate
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

COUNTED = ("order.created", "order.shipped", "order.cancelled", "payment.failed")
"""The types of which a day's figures say how many there were."""

MONEY = ("order.created", "payment.completed", "order.refunded")
"""The types whose amount is kept: what was ordered, charged, and owed back."""

# All that was paid goes back when an order is cancelled, or refunded without saying how much;
# nobody says how much that is. It is what is left then, and belongs to the day of the first such.
_GIVEN_BACK = """
WITH closed AS (
    SELECT subject FROM analytics_recordedevent
    WHERE (type = 'order.cancelled' OR (type = 'order.refunded' AND amount_minor IS NULL))
        AND subject IN (
            SELECT subject FROM analytics_recordedevent
            WHERE time >= %(start)s AND time < %(end)s
                AND type IN ('order.cancelled', 'order.refunded')
        )
    GROUP BY subject
    HAVING min(time) >= %(start)s AND min(time) < %(end)s
), due AS (
    SELECT currency, sum(
        CASE type WHEN 'payment.completed' THEN amount_minor ELSE -amount_minor END
    ) AS amount
    FROM analytics_recordedevent JOIN closed USING (subject)
    WHERE type IN ('payment.completed', 'order.refunded') AND amount_minor IS NOT NULL
    GROUP BY subject, currency
)
SELECT currency, sum(amount)::bigint FROM due WHERE amount > 0 GROUP BY currency
"""

# Of what has come since: its own day, and the day on which its order was closed, whose refunds
# depend on what was paid.
_TAKE_NOTE = """
WITH fresh AS (
    UPDATE analytics_recordedevent SET counted = true
    WHERE id IN (
        SELECT id FROM analytics_recordedevent WHERE NOT counted
        ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
    RETURNING type, subject, time
)
SELECT time FROM fresh
UNION
SELECT closing.time FROM fresh JOIN analytics_recordedevent AS closing USING (subject)
WHERE fresh.type IN ('payment.completed', 'order.refunded', 'order.cancelled')
    AND closing.type IN ('order.cancelled', 'order.refunded')
"""


class RecordedEventQuerySet(models.QuerySet["RecordedEvent"]):
    def between(self, start: datetime, end: datetime) -> RecordedEventQuerySet:
        """What happened from `start` on and before `end`."""
        return self.filter(time__gte=start, time__lt=end)

    def not_counted(self) -> RecordedEventQuerySet:
        """What came since the days were last looked at."""
        return self.filter(counted=False)

    def days(self) -> models.QuerySet[RecordedEvent, date]:
        """The days on which they happened, each once."""
        day = TruncDate("time", tzinfo=timezone.get_default_timezone())
        return self.annotate(day=day).values_list("day", flat=True).distinct().order_by("day")

    def take_note(self, *, limit: int) -> list[datetime]:
        """Of at most `limit` of these, counted from now on: the times whose days they change."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(_TAKE_NOTE, {"limit": limit})
            return [time for (time,) in cursor.fetchall()]

    def given_back(self, start: datetime, end: datetime) -> dict[str, int]:
        """By currency: what was left of the price of orders that were closed in this time."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(_GIVEN_BACK, {"start": start, "end": end})
            return dict(cursor.fetchall())


class RecordedEvent(models.Model):
    """One event, with the facts that figures are made of.

    `counted`: whether its day has been marked stale since it came. An event's own transaction
    touches no row but this one: a day's row would be one that all events of the day wait for.
    """

    event_id = models.UUIDField(unique=True)
    type = models.CharField(max_length=100)
    subject = models.CharField(max_length=255)
    time = models.DateTimeField(help_text=_("When it happened."))
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)
    amount_minor = models.BigIntegerField(null=True, help_text=_("In minor units of `currency`."))
    currency = models.CharField(max_length=3, blank=True)
    counted = models.BooleanField(default=False, db_default=False)

    objects = RecordedEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("recorded event")
        verbose_name_plural = _("recorded events")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount_minor=None, currency="")
                | models.Q(amount_minor__gte=0) & ~models.Q(currency=""),
                name="recorded_amount_has_its_currency",
            )
        ]
        indexes = [
            models.Index(fields=["time"], name="recorded_by_time"),
            models.Index(
                fields=["subject"],
                condition=models.Q(
                    type__in=["order.cancelled", "order.refunded", "payment.completed"]
                ),
                name="recorded_paid_and_closed",
            ),
            models.Index(
                fields=["id"], condition=models.Q(counted=False), name="recorded_not_counted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"


class DailyFiguresQuerySet(models.QuerySet["DailyFigures"]):
    def mark_stale(self, days: Iterable[date]) -> int:
        """Have these days computed again. How many.

        In order, so that of two who mark the same days the second waits, and neither for ever.
        """
        rows = [DailyFigures(day=day, stale=True) for day in sorted(set(days))]
        self.bulk_create(
            rows, update_conflicts=True, unique_fields=["day"], update_fields=["stale"]
        )
        return len(rows)

    def stale(self) -> DailyFiguresQuerySet:
        return self.filter(stale=True)

    def lock_next_stale(self) -> DailyFigures | None:
        """The latest stale day, ours until the transaction ends; not one that somebody computes."""
        return self.stale().order_by("-day").select_for_update(skip_locked=True).first()


class DailyFigures(models.Model):
    """What happened on one day of the shop's time zone. `stale`: to be computed again."""

    day = models.DateField(unique=True)
    events = models.BigIntegerField(default=0)
    orders_placed = models.BigIntegerField(default=0)
    orders_shipped = models.BigIntegerField(default=0)
    orders_cancelled = models.BigIntegerField(default=0)
    payments_failed = models.BigIntegerField(default=0)
    stale = models.BooleanField(default=True, db_default=True)
    computed_at = models.DateTimeField(null=True, editable=False)

    objects = DailyFiguresQuerySet.as_manager()

    class Meta:
        verbose_name = _("daily figures")
        verbose_name_plural = _("daily figures")
        indexes = [
            models.Index(fields=["day"], condition=models.Q(stale=True), name="figures_stale")
        ]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}"


class DailyMoney(models.Model):
    """What was ordered, charged and owed back on one day, in one currency's minor units."""

    figures = models.ForeignKey(DailyFigures, on_delete=models.CASCADE, related_name="money")
    currency = models.CharField(max_length=3)
    ordered_minor = models.BigIntegerField(default=0)
    revenue_minor = models.BigIntegerField(default=0)
    refunds_minor = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("daily money")
        verbose_name_plural = _("daily money")
        constraints = [
            models.UniqueConstraint(fields=["figures", "currency"], name="daily_money_once")
        ]

    def __str__(self) -> str:
        return f"{self.figures}: {self.currency}"


class DailyOutcome(models.Model):
    """How many of a day's notifications over one channel came to be in one state."""

    figures = models.ForeignKey(DailyFigures, on_delete=models.CASCADE, related_name="outcomes")
    channel = models.CharField(max_length=40)
    state = models.CharField(max_length=20)
    count = models.BigIntegerField()

    class Meta:
        verbose_name = _("daily outcome")
        verbose_name_plural = _("daily outcomes")
        constraints = [
            models.UniqueConstraint(
                fields=["figures", "channel", "state"], name="daily_outcome_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.figures}: {self.count} {self.state} by {self.channel}"
