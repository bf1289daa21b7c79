"""Pause: an operator has stopped a queue, a channel, an account, an event type or a template.

History is kept.
"""

from __future__ import annotations

from django.db import connections, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

_PAUSE = """
INSERT INTO notifications_pause (kind, name, reason, paused_by, resumed_by)
VALUES (%(kind)s, %(name)s, %(reason)s, %(by)s, '')
ON CONFLICT (kind, name) WHERE resumed_at IS NULL DO NOTHING
"""
_HOLD = """
SELECT id FROM notifications_pause
WHERE kind = %(kind)s AND name = %(name)s AND resumed_at IS NULL
FOR SHARE
"""


class PauseQuerySet(models.QuerySet["Pause"]):
    """The verbs. Each is one statement; a second one of the same does nothing."""

    def pause(self, kind: Pause.Kind, name: str, *, by: str, reason: str = "") -> bool:
        """Stop it from now on. False when it is stopped already; that pause stands as it is."""
        self._for_write = True
        parameters = {"kind": kind.value, "name": name, "reason": reason, "by": by}
        with connections[self.db].cursor() as cursor:
            cursor.execute(_PAUSE, parameters)
            return bool(cursor.rowcount)

    def resume(self, kind: Pause.Kind, name: str, *, by: str) -> bool:
        """Let it go on. False when nothing holds it."""
        held = self.in_force().filter(kind=kind, name=name)
        return bool(held.update(resumed_at=Now(), resumed_by=by))

    def hold(self, kind: Pause.Kind, name: str) -> bool:
        """Whether it is paused, and is to stay so until the caller's transaction ends.

        Waits for a `resume` under way. Any number may hold it at once.
        """
        self._for_write = True
        with connections[self.db].cursor() as cursor:
            cursor.execute(_HOLD, {"kind": kind.value, "name": name})
            return cursor.fetchone() is not None

    def in_force(self) -> models.QuerySet[Pause]:
        """Those that hold something now."""
        return self.filter(resumed_at=None)


class Pause(models.Model):
    """In force until `resumed_at`."""

    class Kind(models.TextChoices):
        QUEUE = "queue", _("queue")
        CHANNEL = "channel", _("channel")
        EVENT_TYPE = "event_type", _("event type")
        TEMPLATE = "template", _("template")
        PROVIDER = "provider", _("provider")

    PUTTING_OFF = frozenset({Kind.EVENT_TYPE, Kind.TEMPLATE})

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    name = models.CharField(
        max_length=150,
        help_text=_(
            "Queue without the prefix, channel, event type, template "
            '("order.created/email") or provider\'s account ("email.ses").'
        ),
    )
    reason = models.CharField(max_length=255, blank=True)
    paused_at = models.DateTimeField(db_default=Now())
    paused_by = models.CharField(max_length=150, blank=True)
    resumed_at = models.DateTimeField(null=True, blank=True)
    resumed_by = models.CharField(max_length=150, blank=True)

    objects = PauseQuerySet.as_manager()

    class Meta:
        verbose_name = _("pause")
        verbose_name_plural = _("pauses")
        permissions = [
            (
                "pause_sending",
                "Can pause and resume queues, channels, providers, event types and templates",
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "name"],
                condition=models.Q(resumed_at=None),
                name="pause_in_force_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"
