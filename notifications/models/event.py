"""Event: a fact in the past tense, immutable."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications import consumers
from notifications.envelope import Envelope
from notifications.identifiers import uuid7


class EventQuerySet(models.QuerySet["Event"]):
    def keep(self, envelope: Envelope, *, forgotten: bool = False) -> bool:
        """Keep an event that somebody else published. False when it is known already.

        Whichever consumer meets it first writes it; the others find it. forgotten: it is of ours,
        from after the backup of a restored database, or deleted since: whoever had done it by then
        will not report again, so nobody is waited for.
        """
        _, is_new = self.get_or_create(
            id=envelope.id,
            defaults={
                "type": envelope.type,
                "version": envelope.version,
                "source": envelope.source,
                "subject": envelope.subject,
                "time": envelope.time,
                "data": envelope.data,
                "traceparent": envelope.traceparent,
                "foreign": True,
                "expected": [] if forgotten else consumers.expected_for(envelope.type),
                "announcement_id": envelope.announcement,
            },
        )
        return is_new


class Event(models.Model):
    """One fact: written by `outbox.record()`, or by the first consumer of a foreign message."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    type = models.CharField(max_length=100)
    version = models.PositiveSmallIntegerField(default=1)
    source = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, help_text=_('What it is about: "order/123".'))
    time = models.DateTimeField(help_text=_("When it happened, as its publisher says."))
    data = models.JSONField(default=dict)
    traceparent = models.CharField(max_length=55, blank=True)
    foreign = models.BooleanField(default=False, help_text=_("Recorded by a consumer, not by us."))
    expected = ArrayField(
        models.CharField(max_length=40),
        default=list,
        help_text=_("The consumers it was meant to reach when it was recorded."),
    )
    announcement = models.ForeignKey(
        "notifications.Announcement",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,  # the index below starts with it
        related_name="events",
        null=True,
        blank=True,
        help_text=_("That it is part of, one event for each person."),
    )
    batch = models.PositiveIntegerField(null=True, blank=True, help_text=_("Of the announcement."))
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes = [
            models.Index(fields=["subject", "time"], name="event_by_subject"),
            models.Index(fields=["type", "recorded_at"], name="event_by_type"),
            models.Index(fields=["recorded_at"], name="event_by_recorded_at"),
            models.Index(
                fields=["announcement", "batch"],
                condition=models.Q(announcement__isnull=False),
                name="event_of_announcement",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"

    def envelope(self, *, generation: int = 0) -> Envelope:
        """This event as it travels."""
        return Envelope(
            id=self.id,
            type=self.type,
            version=self.version,
            source=self.source,
            subject=self.subject,
            time=self.time,
            data=self.data,
            generation=generation,
            traceparent=self.traceparent,
            foreign=self.foreign,
            announcement=self.announcement_id,
        )
