"""AuditEntry: one thing that somebody did. Written once; the database refuses to change it."""

from __future__ import annotations

from django.db import connections, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

# From each action to the next one by the index, instead of reading every row: there are some
# dozens of actions, and any number of entries.
_ACTIONS = """
WITH RECURSIVE known AS (
    (SELECT action FROM notifications_auditentry ORDER BY action LIMIT 1)
    UNION ALL
    SELECT (
        SELECT entry.action FROM notifications_auditentry AS entry
        WHERE entry.action > known.action ORDER BY entry.action LIMIT 1
    ) FROM known WHERE known.action IS NOT NULL
)
SELECT action FROM known WHERE action IS NOT NULL
"""


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    def actions(self) -> list[str]:
        """Those that anybody has done, in order."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(_ACTIONS)
            return [action for (action,) in cursor.fetchall()]

    def forget_reasons(self) -> int:
        """Take the operators' own words out, of somebody who is to be forgotten. How many had any.

        It is the one change that the database lets through.
        """
        worded = self.exclude(reason__in=["", AuditEntry.FORGOTTEN])
        return worded.update(reason=AuditEntry.FORGOTTEN)


class AuditEntry(models.Model):
    """Who, when, why, on what, and what it was before and after (`notifications.audit`).

    Triggers of the table raise on UPDATE, DELETE and TRUNCATE (migrations 0014 and 0015).
    """

    FORGOTTEN = "forgotten"
    """The reason that was given, once the person is forgotten whom it was about."""

    class Door(models.TextChoices):
        PAGE = "page", _("page")
        COMMAND = "command", _("command")
        API = "api", _("API")
        PROCESS = "process", _("process")

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now(), editable=False)
    actor = models.CharField(max_length=150, help_text=_("The user's name, as it was then."))
    door = models.CharField(max_length=8, choices=Door.choices)
    action = models.CharField(max_length=60)
    target_kind = models.CharField(
        max_length=60, blank=True, help_text=_("A model's name, or none.")
    )
    target = models.CharField(max_length=255, blank=True, help_text=_("Its key, or what it is."))
    subject = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=255, blank=True)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    count = models.PositiveIntegerField(default=1, help_text=_("Of how many things it was done."))

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["actor", "id"], name="audit_by_actor"),
            models.Index(fields=["action", "id"], name="audit_by_action"),
            models.Index(fields=["door", "id"], name="audit_by_door"),
            models.Index(fields=["target", "id"], name="audit_by_target"),
            models.Index(fields=["subject", "id"], name="audit_by_subject"),
            models.Index(fields=["at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"
