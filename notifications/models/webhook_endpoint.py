"""WebhookEndpoint: where one partner takes our events, how it has done lately, and since when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import connections, models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from notifications.identifiers import uuid7
from notifications.models.sealed import SealedTextField

FAILURES = 5
"""In a row, after which an endpoint is left alone for a while, as a provider's account is. With
fewer it is not disabled either, however long ago the first was: it may have been asked nothing
since."""

FIRST_REST, LONGEST_REST = 10.0, 900.0
"""Seconds. A rest is half as long as it has been failing, within these, and half of it random: so
that one that was away for a minute is back within one, and one that is away for days is asked some
four times an hour."""

NOTED_EVERY = timedelta(minutes=1)
"""How often a success is written of an endpoint that does not fail: not with each event."""

ITSELF = "the webhook channel"
"""Who disables an endpoint that is gone, or has failed for too long."""

_MAX_ERROR = 255

# Of many failures at once the first sets the rest, the others only count: they were sent before.
_FAILED = """
UPDATE notifications_webhookendpoint AS endpoint SET
    failures = failures + 1,
    failing_since = COALESCE(failing_since, statement_timestamp()),
    last_failure_at = statement_timestamp(),
    last_error = %(error)s,
    left_alone_until = CASE
        WHEN failures + 1 >= %(most)s
            AND COALESCE(left_alone_until <= statement_timestamp(), TRUE)
        THEN statement_timestamp() + (1 + random()) / 2 * least(
            greatest((statement_timestamp() - failing_since) / 2, %(first)s), %(longest)s
        )
        ELSE left_alone_until
    END,
    state = CASE WHEN {ends} THEN 'disabled' ELSE state END,
    reason = CASE WHEN {ends} THEN %(reason)s ELSE reason END,
    changed_at = CASE WHEN {ends} THEN statement_timestamp() ELSE changed_at END,
    changed_by = CASE WHEN {ends} THEN %(itself)s ELSE changed_by END
WHERE id = %(id)s AND state = 'enabled'
RETURNING state
""".format(
    ends="(%(gone)s OR failures + 1 >= %(most)s"
    " AND COALESCE(failing_since <= statement_timestamp() - %(after)s, FALSE))"
)


class WebhookEndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    """The verbs. Each is one statement, from legal states only, on the database's clock."""

    def wanting(self, event_type: str) -> models.QuerySet[WebhookEndpoint]:
        """Those that are to be sent events of this type, the disabled ones too."""
        return self.filter(Q(event_types=[]) | Q(event_types__contains=[event_type])).order_by("pk")

    def rotate(
        self,
        pk: UUID,
        *,
        secret: str,
        overlap: timedelta,
        by: str,
        reason: str,
        again: bool = True,
    ) -> bool:
        """`secret` signs from now on; the one before it, too, until the overlap is over.

        again: also while another one before signs, which then does no more.
        """
        rows = self.filter(pk=pk)
        if not again:
            rows = rows.filter(Q(old_secret_until=None) | Q(old_secret_until__lte=Now()))
        return bool(
            rows.update(
                old_secret=F("secret"),
                old_secret_until=Now() + overlap,
                secret=secret,
                **_changed(by, reason),
            )
        )

    def enable(self, pk: UUID, *, by: str, reason: str) -> bool:
        """Its failures are forgotten. False when it was not disabled."""
        disabled = self.filter(pk=pk, state=WebhookEndpoint.State.DISABLED)
        return bool(
            disabled.update(
                state=WebhookEndpoint.State.ENABLED,
                failures=0,
                failing_since=None,
                left_alone_until=None,
                **_changed(by, reason),
            )
        )

    def disable(self, pk: UUID, *, by: str, reason: str) -> bool:
        """What is for it is skipped from now on. False when it was disabled already."""
        enabled = self.filter(pk=pk, state=WebhookEndpoint.State.ENABLED)
        return bool(enabled.update(state=WebhookEndpoint.State.DISABLED, **_changed(by, reason)))

    def succeeded(self, pk: UUID) -> None:
        """It took an event: its failures, if it had any, are over."""
        due = Q(failures__gt=0) | Q(last_success_at=None)
        due |= Q(last_success_at__lt=Now() - NOTED_EVERY)
        self.filter(due, pk=pk).update(
            failures=0, failing_since=None, left_alone_until=None, last_success_at=Now()
        )

    def failed(self, pk: UUID, error: str, *, gone: bool, after: timedelta) -> bool:
        """It did not take an event. Whether that disabled it: when it says that it is `gone`, or
        when it has failed for longer than `after`, FAILURES times or more, without a success
        between."""
        self._for_write = True
        why = "gone: it answered 410" if gone else f"failed for {after.days} days: {error}"
        parameters: dict[str, Any] = {
            "id": pk,
            "error": error[:_MAX_ERROR],
            "reason": why[:_MAX_ERROR],
            "gone": gone,
            "after": after,
            "most": FAILURES,
            "first": timedelta(seconds=FIRST_REST),
            "longest": timedelta(seconds=LONGEST_REST),
            "itself": ITSELF,
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_FAILED, parameters)
            row = cursor.fetchone()
        return row is not None and row[0] == WebhookEndpoint.State.DISABLED


class WebhookEndpoint(models.Model):
    """One partner's address, sealed as its secrets are; `notifications.webhooks` has the verbs."""

    class State(models.TextChoices):
        ENABLED = "enabled", _("enabled")
        DISABLED = "disabled", _("disabled")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True)
    url = SealedTextField(help_text=_("Where events are posted to; sealed."))
    event_types = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text=_("Empty: all of them."),
    )
    secret = SealedTextField(help_text=_("What signs; sealed."))
    old_secret = SealedTextField(blank=True, help_text=_("What signs too, for a while; sealed."))
    old_secret_until = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ENABLED)
    reason = models.CharField(max_length=255, blank=True, help_text=_("Why of the last change."))
    failures = models.PositiveIntegerField(default=0, help_text=_("In a row, up to now."))
    failing_since = models.DateTimeField(null=True, blank=True, help_text=_("The first of them."))
    left_alone_until = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True, help_text=_("To the minute."))
    last_failure_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=150)
    changed_at = models.DateTimeField(db_default=Now())
    changed_by = models.CharField(max_length=150, blank=True)

    objects = WebhookEndpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")

    def __str__(self) -> str:
        return self.name

    @property
    def reference(self) -> str:
        """How its deliveries name it."""
        return f"{REFERENCE}{self.pk}"

    @property
    def is_enabled(self) -> bool:
        return self.state == self.State.ENABLED

    def is_rotating(self, now: datetime) -> bool:
        """Whether the secret before signs too."""
        return self.old_secret_until is not None and now < self.old_secret_until

    def secrets(self, now: datetime) -> list[str]:
        """What signs, the newest first. Empty when none of them can be read."""
        old = self.old_secret if self.is_rotating(now) else ""
        return [secret for secret in (self.secret, old) if secret]


REFERENCE = "endpoint/"


def id_of(reference: str) -> UUID | None:
    """The endpoint that a delivery's recipient is, if it is one."""
    if not reference.startswith(REFERENCE):
        return None
    try:
        return UUID(reference.removeprefix(REFERENCE))
    except ValueError:
        return None


def _changed(by: str, reason: str) -> dict[str, Any]:
    return {"changed_at": Now(), "changed_by": by[:150], "reason": reason[:_MAX_ERROR]}
