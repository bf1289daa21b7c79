"""ScheduledEvent: a fact that is to be true at a moment to come, unless it is called off before."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

MAX_ERROR = 500

_ADD = """
    INSERT INTO notifications_scheduledevent
        (event_type, version, subject, key, data, due_at, look_at, state, error, called_off_by)
    VALUES (
        %(event_type)s, %(version)s, %(subject)s, %(key)s, %(data)s::jsonb, %(due_at)s,
        greatest(%(due_at)s, statement_timestamp()), 'waiting', '', ''
    )
    ON CONFLICT (event_type, subject, key) WHERE state IN ('waiting', 'refused') DO UPDATE
    SET version = excluded.version, data = excluded.data, due_at = excluded.due_at,
        look_at = excluded.look_at, state = 'waiting', error = '', over_at = NULL
    RETURNING id
"""


class ScheduledEventQuerySet(models.QuerySet["ScheduledEvent"]):
    """Its verbs; each is one statement, from legal states only."""

    def add(
        self,
        *,
        event_type: str,
        version: int,
        subject: str,
        key: str,
        data: Mapping[str, Any],
        due_at: datetime,
    ) -> int:
        """Its number. The one that is open already, of this type, subject and key, is moved.

        What was over when it came is late from now on: no relay could have recorded it before.
        """
        self._for_write = True
        parameters: dict[str, Any] = {
            "event_type": event_type,
            "version": version,
            "subject": subject,
            "key": key,
            "data": json.dumps(data),
            "due_at": due_at,
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_ADD, parameters)
            (number,) = cursor.fetchone()
        return int(number)

    def due(self) -> models.QuerySet[ScheduledEvent]:
        """Those to be recorded now, the longest due first."""
        waiting = self.filter(state=ScheduledEvent.State.WAITING, look_at__lte=Now())
        return waiting.order_by("look_at", "id")

    def refused(self) -> models.QuerySet[ScheduledEvent]:
        """What could not be recorded, and waits for a person."""
        return self.filter(state=ScheduledEvent.State.REFUSED).order_by("id")

    def over(self) -> models.QuerySet[ScheduledEvent]:
        return self.filter(state__in=ScheduledEvent.OVER)

    def call_off(self, *, by: str = "") -> int:
        """How many of these were not recorded yet. by: the operator; empty: the shop's own code."""
        return self.filter(state__in=ScheduledEvent.OPEN).update(
            state=ScheduledEvent.State.CALLED_OFF, called_off_by=by[:150], over_at=Now()
        )

    def bring_forward(self) -> int:
        """How many of these are due now; also of those that could not be recorded."""
        return self.filter(state__in=ScheduledEvent.OPEN).update(
            state=ScheduledEvent.State.WAITING, due_at=Now(), look_at=Now(), error="", over_at=None
        )

    def mark_recorded(self, ids: Collection[int]) -> None:
        self.filter(pk__in=ids).update(state=ScheduledEvent.State.RECORDED, over_at=Now())

    def put_off(self, pk: int, error: str, pause: timedelta) -> None:
        self.filter(pk=pk).update(error=error[:MAX_ERROR], look_at=Now() + pause)

    def refuse(self, pk: int, error: str) -> None:
        refused = ScheduledEvent.State.REFUSED
        self.filter(pk=pk).update(state=refused, error=error[:MAX_ERROR], over_at=Now())


class ScheduledEvent(models.Model):
    """One row of the schedule. The relays record what is due; it is an event from then on."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RECORDED = "recorded", _("recorded")
        CALLED_OFF = "called_off", _("called off")
        REFUSED = "refused", _("could not be recorded")

    OPEN = frozenset({State.WAITING, State.REFUSED})
    """What may still be recorded; what could not be waits for a person."""
    OVER = frozenset({State.RECORDED, State.CALLED_OFF})

    id = models.BigAutoField(primary_key=True)
    event_type = models.CharField(max_length=100)
    version = models.PositiveSmallIntegerField()
    subject = models.CharField(max_length=255, help_text=_('What it is about: "order/123".'))
    key = models.CharField(
        max_length=100,
        blank=True,
        help_text=_("Tells several of one type about one subject apart."),
    )
    data = models.JSONField(default=dict)
    due_at = models.DateTimeField(help_text=_("When it is recorded, as having happened then."))
    look_at = models.DateTimeField(
        editable=False, help_text=_("When a relay tries next: later, if it did not know the type.")
    )
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    error = models.TextField(blank=True)
    called_off_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    over_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ScheduledEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("scheduled event")
        verbose_name_plural = _("scheduled events")
        default_permissions = ("view", "change")
        constraints = [
            models.UniqueConstraint(
                fields=["event_type", "subject", "key"],
                condition=models.Q(state__in=["waiting", "refused"]),
                name="scheduled_open_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["look_at", "id"],
                condition=models.Q(state="waiting"),
                name="scheduled_waiting",
            ),
            models.Index(
                fields=["id"], condition=models.Q(state="refused"), name="scheduled_refused"
            ),
            models.Index(fields=["subject", "created_at"], name="scheduled_by_subject"),
            models.Index(
                fields=["over_at"],
                condition=models.Q(state__in=["recorded", "called_off"]),
                name="scheduled_over",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.subject}"
