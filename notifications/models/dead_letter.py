"""DeadLetter: a message a consumer gave up on, kept as it came."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connections, models
from django.db.models.functions import Cast, Now
from django.db.models.lookups import GreaterThan
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from notifications.dead_letters import Letter

_NOT_TEXT = re.compile(r"[\0\ud800-\udfff]")
_LATEST = ("reason", "error_class", "error", "fingerprint", "attempts", "last_seen_at")
_MOVE = """
UPDATE notifications_deadletter
SET state = %(state)s, changed_by = %(by)s, change_reason = %(reason)s,
    changed_at = statement_timestamp()
WHERE id = ANY(%(ids)s) AND state = %(legal)s AND NOT (%(state)s = 'open' AND body = '')
RETURNING id
"""


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    """The verbs of dead letters. Each is one statement, and moves only what may be moved."""

    def keep(self, letter: Letter) -> None:
        """The letter as an open row; seen before, the same row with what is new about it.

        What is new is why and when, never its state: it may have been dealt with since. Of one that
        was wiped nothing is kept again.
        """
        if self._named(letter).filter(body=b"").exists():
            return
        failure = letter.failure
        row = DeadLetter(
            queue=letter.queue,
            message_id=letter.message_id,
            generation=letter.generation,
            body=letter.body.encode(errors="surrogatepass"),
            attributes={name: _kept(value) for name, value in letter.attributes.items()},
            event_id=letter.event_id,
            event_type=letter.event_type[:100],
            subject=letter.subject[:255],
            reason=failure.reason,
            error_class=failure.error_class,
            error=failure.error,
            fingerprint=failure.fingerprint,
            attempts=failure.attempts,
            first_seen_at=letter.first_seen,
            last_seen_at=Now(),
        )
        self.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=["queue", "message_id", "generation"],
            update_fields=_LATEST,
        )

    def has_other_body(self, letter: Letter) -> bool:
        """Whether the letter names itself as one that is kept, and is another.

        Of one that was wiped nobody can tell, and it is believed: SQS has no empty message.
        """
        bodies = [letter.body.encode(errors="surrogatepass"), b""]
        return self._named(letter).exclude(body__in=bodies).exists()

    def _named(self, letter: Letter) -> DeadLetterQuerySet:
        """The row that the letter says it is."""
        return self.filter(
            queue=letter.queue, message_id=letter.message_id, generation=letter.generation
        )

    def open(self) -> models.QuerySet[DeadLetter]:
        """Those that nobody has dealt with yet."""
        return self.filter(state=DeadLetter.State.OPEN)

    def matching(
        self,
        *,
        queues: Collection[str] = (),
        event_type: str = "",
        fingerprint: str = "",
        reason: str = "",
        subject: str = "",
        state: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> DeadLetterQuerySet:
        """Those that are all of this; kept here from `since` until before `until`."""
        given = {
            "queue__in": queues,
            "event_type": event_type,
            "fingerprint": fingerprint,
            "reason": reason,
            "subject": subject,
            "state": state,
            "created_at__gte": since,
            "created_at__lt": until,
        }
        return self.filter(**{name: value for name, value in given.items() if value})

    def groups(self, most: int) -> list[dict[str, Any]]:
        """One for each fingerprint, the largest first: how many, since when, and the latest's id.

        As `fingerprint`, `count`, `first_seen_at`, `last_seen_at` and `example`.
        """
        grouped = self.order_by().values("fingerprint")
        counted = grouped.annotate(
            count=models.Count("id"),
            first_seen_at=models.Min("first_seen_at"),
            last_seen_at=models.Max("last_seen_at"),
            example=models.Max("id"),
        )
        return [dict(group) for group in counted.order_by("-count", "fingerprint")[:most]]

    def open_by_queue(self) -> dict[str, int]:
        """How many are open, by the queue they were on."""
        counted = self.open().order_by().values_list("queue").annotate(models.Count("id"))
        return dict(counted)

    def move(
        self,
        ids: Collection[int],
        legal: DeadLetter.State,
        state: DeadLetter.State,
        *,
        by: str,
        reason: str,
    ) -> set[int]:
        """Those of these that are in the state `legal` are in `state` now; which they are.

        `by` and `reason`, who did it and why, stand on the row. None that was wiped is opened.
        """
        self._for_write = True
        values: dict[str, Any] = {
            "ids": list(ids),
            "legal": legal,
            "state": state,
            "by": by,
            "reason": reason,
        }
        with connections[self.db].cursor() as cursor:
            cursor.execute(_MOVE, values)
            return {row[0] for row in cursor.fetchall()}

    def with_any(self, texts: Collection[str]) -> DeadLetterQuerySet:
        """Those with any of these texts in their body or attributes. Reads the whole table."""
        written = self.annotate(written=Cast("attributes", output_field=models.TextField()))
        found = models.Q(pk__in=())
        for text in texts:
            raw = models.Value(text.encode(), models.BinaryField())
            found |= models.Q(written__contains=text) | models.Q(_is_in(raw, "body"))
        return written.filter(found)

    def wipe(self, *, by: str, reason: str) -> int:
        """Nothing of what they said is kept; those that were open are discarded. How many."""
        was_open = models.Q(state=DeadLetter.State.OPEN)
        return self.update(
            body=b"",
            attributes={},
            error="",
            state=models.Case(
                models.When(was_open, then=models.Value(DeadLetter.State.DISCARDED)),
                default=models.F("state"),
            ),
            changed_by=by,
            change_reason=reason,
            changed_at=Now(),
        )

    def mark_redriven(self, ids: Collection[int], *, by: str, reason: str) -> set[int]:
        """These are on their way to their consumer again; which of them were open."""
        state = DeadLetter.State
        return self.move(ids, state.OPEN, state.REDRIVEN, by=by, reason=reason)


class DeadLetter(models.Model):
    """One message in the operator's care. Bytes as they came; nothing is parsed to be kept.

    attributes: the message attributes it came with, by name: the text of one that is a text, and
    of any other an object with its `DataType` and its value as SQS names it, bytes in base64.
    """

    class State(models.TextChoices):
        OPEN = "open", _("open")
        REDRIVEN = "redriven", _("redriven")
        DISCARDED = "discarded", _("discarded")

    id = models.BigAutoField(primary_key=True)
    queue = models.CharField(max_length=80, help_text=_("The queue it was on, without the prefix."))
    message_id = models.CharField(max_length=100, help_text=_("The SQS message id."))
    generation = models.PositiveIntegerField(default=0)
    body = models.BinaryField()
    attributes = models.JSONField(default=dict, blank=True)
    event_id = models.UUIDField(null=True, blank=True, db_index=True)
    event_type = models.CharField(max_length=100, blank=True)
    subject = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=40)
    error_class = models.CharField(max_length=200, blank=True)
    error = models.TextField(blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    changed_by = models.CharField(max_length=150, blank=True, help_text=_("Who set its state."))
    changed_at = models.DateTimeField(null=True, blank=True)
    change_reason = models.CharField(max_length=255, blank=True)
    first_seen_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = DeadLetterQuerySet.as_manager()

    class Meta:
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")
        permissions = [
            ("discard_deadletter", "Can discard and restore dead letters"),
            ("redrive_deadletter", "Can send dead letters back to their consumer"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["queue", "message_id", "generation"], name="dead_letter_once"
            ),
        ]
        indexes = [
            models.Index(fields=["subject", "created_at"], name="dead_letter_by_subject"),
            models.Index(fields=["state", "id"], name="dead_letter_by_state"),
            models.Index(fields=["queue", "id"], name="dead_letter_by_queue"),
            models.Index(fields=["event_type", "id"], name="dead_letter_by_type"),
            models.Index(fields=["fingerprint", "id"], name="dead_letter_by_fingerprint"),
            models.Index(
                fields=["created_at"], condition=models.Q(state="open"), name="dead_letter_open"
            ),
            # Failures by cause, counted in the index alone (`notifications.failure_counts`).
            models.Index(
                fields=["fingerprint", "last_seen_at"],
                include=["queue", "event_type", "event_id", "first_seen_at", "created_at", "id"],
                condition=models.Q(state="open"),
                name="dead_letter_failures",
            ),
            models.Index(
                fields=["created_at"],
                condition=~models.Q(state="open"),
                name="dead_letter_dealt_with",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason} on {self.queue}"

    @property
    def is_wiped(self) -> bool:
        """Whether nothing of what it said is kept (SQS has no empty message)."""
        return not self.body


def _is_in(raw: models.Value, column: str) -> GreaterThan:
    """Whether these bytes stand somewhere in that column's."""
    place = models.Func(
        raw,
        models.F(column),
        template="position(%(expressions)s)",
        arg_joiner=" IN ",
        output_field=models.IntegerField(),
    )
    return GreaterThan(place, 0)


def _kept(attribute: Mapping[str, Any]) -> Any:
    """One message attribute as jsonb takes it, with nothing of it lost."""
    kind, text = attribute.get("DataType", "String"), attribute.get("StringValue")
    if kind == "String" and isinstance(text, str) and not _NOT_TEXT.search(text):
        return text
    if isinstance(text, str) and not _NOT_TEXT.search(text):
        return {"DataType": kind, "StringValue": text}
    raw = attribute.get("BinaryValue") if text is None else text.encode(errors="surrogatepass")
    return {"DataType": kind, "BinaryValue": base64.b64encode(bytes(raw or b"")).decode()}
