"""Announcement: one event type told to a whole audience, and how far that has come.

What is told to one person is an Event like any other, made when the relays come to that person,
and a dispatch to the bulk queue of each channel. People are taken in batches. Each channel has a
lane along those batches, and goes along it at its own pace: while the mail account takes fifty a
second, push is done in a minute, and a provider that is away keeps no other channel waiting.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.redaction import redact


class AnnouncementQuerySet(models.QuerySet["Announcement"]):
    """Its verbs; each is one statement, from legal states only."""

    def under_way(self) -> AnnouncementQuerySet:
        """Those of which something may still be to do, or to count."""
        return self.filter(
            models.Q(state__in=Announcement.OPEN)
            | models.Q(state=Announcement.State.CANCELLED, settled_at=None)
        )

    def held(self, pk: int, *, wait: bool = False) -> Announcement | None:
        """The announcement, locked until the caller's transaction ends, with the database's time
        as `now`. None when there is none, or another relay has it just now and we do not wait."""
        rows = self.select_for_update(no_key=True, skip_locked=not wait)
        return rows.annotate(now=Now()).filter(pk=pk).first()

    def pause(self, pk: int) -> bool:
        running = self.filter(pk=pk, state__in=Announcement.RUNNING)
        return bool(running.update(state=Announcement.State.PAUSED, moved_at=Now()))

    def resume(self, pk: int) -> bool:
        """On with what was ahead: people, or only the last of their messages."""
        ahead = models.Case(
            models.When(expanded_at=None, then=models.Value(Announcement.State.EXPANDING)),
            default=models.Value(Announcement.State.SENDING),
        )
        paused = self.filter(pk=pk, state=Announcement.State.PAUSED)
        return bool(paused.update(state=ahead, moved_at=Now()))

    def cancel(self, pk: int) -> bool:
        alive = self.filter(pk=pk, state__in=Announcement.OPEN)
        return bool(
            alive.update(state=Announcement.State.CANCELLED, moved_at=Now(), finished_at=Now())
        )

    def hold(self, pk: int, state: str) -> bool:
        """Whether it is in this state, and is to stay so until the caller's transaction ends."""
        return bool(
            self.raw(
                "SELECT id FROM notifications_announcement WHERE id = %s AND state = %s FOR SHARE",
                [pk, state],
            )
        )


class Announcement(models.Model):
    """Who asked for it, whom it is for, and how many people have been reached in its audience.

    `cursor` is the key of the last row that has been taken, `upto` that of the last one there was
    when it began: who joins the audience afterwards is not told.
    """

    class State(models.TextChoices):
        EXPANDING = "expanding", _("expanding")
        SENDING = "sending", _("sending")
        PAUSED = "paused", _("paused")
        DONE = "done", _("done")
        CANCELLED = "cancelled", _("cancelled")

    RUNNING = frozenset({State.EXPANDING, State.SENDING})
    OPEN = RUNNING | {State.PAUSED}

    id = models.BigAutoField(primary_key=True)
    event_type = models.CharField(max_length=100)
    version = models.PositiveSmallIntegerField()
    data = models.JSONField(default=dict, blank=True, help_text=_("The same for everybody."))
    audience = models.CharField(max_length=40)
    channels = ArrayField(models.CharField(max_length=40))
    state = models.CharField(max_length=10, choices=State.choices, default=State.EXPANDING)
    rate = models.FloatField(
        null=True,
        blank=True,
        help_text=_(
            "People a second over each channel, at most; none: as fast as the accounts allow."
        ),
    )
    actor = models.CharField(max_length=150, help_text=_("Who began it."))
    reason = models.CharField(max_length=255)
    estimate = models.PositiveBigIntegerField(help_text=_("Rows in the audience when it began."))
    cursor = models.CharField(max_length=255, blank=True)
    upto = models.CharField(max_length=255, blank=True)
    batches = models.PositiveIntegerField(default=0)
    people = models.PositiveBigIntegerField(default=0, help_text=_("Taken so far, each once."))
    repeated = models.PositiveBigIntegerField(
        default=0, help_text=_("Rows of somebody who had been taken.")
    )
    refused = models.PositiveBigIntegerField(
        default=0, help_text=_("Rows of which no event could be made.")
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    moved_at = models.DateTimeField(db_default=Now(), help_text=_("Its last step."))
    expanded_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Everybody in the audience had been taken.")
    )
    finished_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Of the last message it was known what became of it.")
    )

    objects = AnnouncementQuerySet.as_manager()

    class Meta:
        verbose_name = _("announcement")
        verbose_name_plural = _("announcements")
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(settled_at=None),
                name="announcement_unsettled",
            ),
        ]
        permissions = [
            ("pause_announcement", "Can pause and resume announcements"),
            ("cancel_announcement", "Can cancel announcements"),
        ]

    def __str__(self) -> str:
        return f"announcement {self.pk} of {self.event_type}"

    def write(self, text: str, *, by: str = "") -> None:
        """One line in its log."""
        AnnouncementEntry.objects.create(announcement=self, by=by, text=redact(text))


class AnnouncementEntry(models.Model):
    """One line of an announcement's log: who did what to it, when and why."""

    id = models.BigAutoField(primary_key=True)
    announcement = models.ForeignKey(Announcement, on_delete=models.CASCADE, related_name="log")
    at = models.DateTimeField(db_default=Now())
    by = models.CharField(max_length=150, blank=True)
    text = models.TextField()

    class Meta:
        verbose_name = _("announcement entry")
        verbose_name_plural = _("announcement entries")

    def __str__(self) -> str:
        return self.text
