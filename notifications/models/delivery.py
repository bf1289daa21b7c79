"""Delivery: the duty to tell one recipient about one event over one channel."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast, Now
from django.db.models.lookups import GreaterThan
from django.utils.translation import gettext_lazy as _

from notifications.conf import Route
from notifications.envelope import Envelope
from notifications.exceptions import AttemptsExhausted
from notifications.identifiers import uuid7
from notifications.models.claim import Claim, ClaimOutcome, ClaimRequest, claims
from notifications.models.conclusion import Conclusion, conclusions
from notifications.models.erasure import Erasure
from notifications.models.event import Event
from notifications.models.sealed import SealedTextField
from notifications.models.settlement import (
    DISCARDED_BY_OPERATOR,
    SETTLED_BY_OPERATOR,
    Settlement,
    Word,
    settle,
)
from notifications.models.wait import DIGEST
from notifications.recipients import Recipient, mask
from notifications.sealed import unseal


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """The verbs that move a delivery, each from its legal states only, in one statement.

    Those that take a Claim accept it from the token's holder alone: they say whether the
    row was still theirs. `unknown` keeps its token, so that a result that comes late, but
    before anybody else took over, still settles it.
    """

    def claim(
        self,
        envelope: Envelope,
        *,
        channel: str,
        route: Route,
        recipient: Recipient,
        lease: timedelta,
        task_id: UUID | str | None = None,
        worker: str = "",
    ) -> Claim:
        """Take the delivery for `lease`, with a new Attempt, or say why not (see ClaimOutcome)."""
        request = ClaimRequest.of(
            envelope,
            channel=channel,
            route=route,
            recipient=recipient,
            lease=lease,
            task_id=task_id,
            worker=worker,
        )
        return claims.write(request, using=self.db) or self.answer(request)

    def answer(self, request: ClaimRequest) -> Claim:
        """What a request is told that did not get its row.

        The row may move on between that statement and this: whatever is read here is one of its
        honest states, and one that became free meanwhile reads as busy for no time.
        """
        row = self.annotate(now=Now()).get(
            event_id=request.event,
            channel=request.channel,
            recipient=request.recipient,
            route=request.route,
        )
        outcome, seconds = row.answer_to(request.generation, now=vars(row)["now"])
        if outcome is ClaimOutcome.BUSY and row.token == request.token:
            # Race: the connection was lost with the answer in it, and the same request came again.
            outcome, seconds = ClaimOutcome.CLAIMED, 0.0
        return Claim(
            outcome, row.pk, row.token or UUID(int=0), row.generation, row.attempts, seconds
        )

    def locked(self) -> DeliveryQuerySet:
        """These rows as they are and stay until the transaction ends.

        In the order in which a claim of many takes them (`notifications.models.claim`): so nobody
        who wants several waits for somebody who waits for them.
        """
        in_order = self.order_by("event_id", "channel", "recipient", "route")
        return in_order.select_for_update(no_key=True)

    def given_up_by(self, task_id: UUID | str | None) -> DeliveryQuerySet:
        """Those that failed in an attempt that this very task, so this very message, made.

        What a receipt or an operator has made of an attempt is not among them.
        """
        spent = Q(reason=AttemptsExhausted.default_code) | Q(reason=F("attempt_log__code"))
        return self.filter(
            spent,
            state=Delivery.State.FAILED,
            attempt_log__task_id=task_id,
            attempt_log__generation=F("generation"),
            attempt_log__number=F("attempts"),
        )

    def conclude(self, conclusion: Conclusion) -> bool:
        """Move it, and close its attempt, as the conclusion says."""
        return conclusions.write(conclusion, using=self.db)

    def reopen_unknown(self, claim: Claim, *, seconds: float, error: str) -> bool:
        """What was taken for unknown was not sent after all: the caller owes it a message."""
        return self._try_later(
            claim,
            Delivery.State.UNKNOWN,
            next_try_at=Now() + timedelta(seconds=seconds),
            last_error=error,
        )

    def release(self, claim: Claim) -> bool:
        """Give it back as though it had never been claimed: no provider was asked."""
        return self._try_later(
            claim, Delivery.State.SENDING, attempts=F("attempts") - 1, next_try_at=Now()
        )

    def hold(self, request: ClaimRequest, *, error: str, fingerprint: str) -> bool:
        """Nobody knows whether it was sent: it is unknown from the start. False where it has a
        row, and for somebody who was forgotten since the shop named them."""
        if Erasure.objects.using(self.db).forbids(request):
            return False
        _, held = self.get_or_create(
            event_id=request.event,
            channel=request.channel,
            recipient=request.recipient,
            route=request.route,
            defaults={
                "event_type": request.event_type,
                "event_time": request.event_time,
                "subject": request.subject,
                "address": unseal(request.address),
                "address_hash": request.address_hash,
                "locale": request.locale,
                "generation": request.generation,
                "state": Delivery.State.UNKNOWN,
                "last_error": error,
                "fingerprint": fingerprint,
            },
        )
        return held

    def doubtful(self) -> DeliveryQuerySet:
        """Those of which nobody knows whether they were sent, once our notes of it are gone.

        What waits for a time that has not come was not sent; an item follows its digest.
        """
        ahead = Q(state=Delivery.State.PENDING, next_try_at__gt=Now())
        item = Q(state=Delivery.State.PENDING, reason=DIGEST)
        judged = Q(state=Delivery.State.UNKNOWN, next_try_at=None)
        return self.filter(state__in=Delivery.OPEN).exclude(ahead | item | judged)

    def hold_open(self, *, error: str, fingerprint: str) -> list[UUID]:
        """Those that are doubtful are unknown, for a person: which."""
        held = list(self.doubtful().values_list("pk", flat=True))
        self.filter(pk__in=held).update(
            state=Delivery.State.UNKNOWN,
            reason="",
            last_error=error,
            fingerprint=fingerprint,
            lease_until=None,
            next_try_at=None,
            updated_at=Now(),
        )
        return held

    def settle_by_receipt(self, word: Word) -> Settlement | None:
        """Move the one that the provider speaks of, as `notifications.models.settlement` says."""
        self._for_write = True
        return settle(word, using=self.db)

    def settle_by_operator(self, state: Delivery.State, *, note: str) -> int:
        """Those that are unknown are `state` (sent or failed), because somebody looked it up.

        note: who and why; it stands on the row as its last error. How many were unknown.
        """
        was_sent = state is Delivery.State.SENT
        values: dict[str, Any] = {"sent_at": Now(), "fingerprint": ""} if was_sent else {}
        return self.filter(state=Delivery.State.UNKNOWN).update(
            state=state,
            reason=SETTLED_BY_OPERATOR,
            last_error=note,
            next_try_at=None,
            lease_until=None,
            finished_at=Now(),
            updated_at=Now(),
            **values,
        )

    def discard(self) -> int:
        """Those that are not told, and in nobody's hands, are not to be told any more: how many.

        A message that still comes for one finds a last state. `last_error` stays: it says what
        was the matter.
        """
        return self.filter(state__in=Delivery.DISCARDABLE).update(
            state=Delivery.State.DISCARDED,
            reason=DISCARDED_BY_OPERATOR,
            next_try_at=None,
            lease_until=None,
            finished_at=Now(),
            updated_at=Now(),
        )

    def reopen(
        self,
        *,
        generation: int,
        override: str = "",
        original: int | None = None,
        edited: str | None = None,
    ) -> int:
        """Those at rest are owed once more, as of `generation`, from their first attempt on.

        The caller owes them a message. override: who insists, and why, though the shop would not
        tell it any more; it holds for this generation alone. original: the generation whose kept
        content is sent again, to the letter; None: it is rendered anew. edited: what an operator
        put right (`notifications.edits`); None: as it was before, for what was wrong once does not
        become right by being resent or redriven. `sent_at` stays until the
        next is sent: what a recipient has been told counts towards a limit. How many were at rest.
        """
        at_rest = models.Q(state__in=Delivery.TERMINAL)
        at_rest |= models.Q(state=Delivery.State.UNKNOWN, next_try_at=None)
        values: dict[str, Any] = {} if edited is None else {"edited": edited}
        return self.filter(at_rest, generation__lt=generation).update(
            state=Delivery.State.PENDING,
            generation=generation,
            attempts=0,
            override=override,
            original=original,
            reason="",
            last_error="",
            fingerprint="",
            token=None,
            lease_until=None,
            next_try_at=None,
            provider=None,
            provider_message_id="",
            finished_at=None,
            updated_at=Now(),
            **values,
        )

    def left_to(self, envelope: Envelope, channel: str) -> DeliveryQuerySet:
        """Those that this message, or one before it, is to go on with: put off till now, re-opened
        or tried before. What is put off for longer has a message of its own that comes then; what
        waits for its digest is told by that one's."""
        due = Q(next_try_at=None) | Q(next_try_at__lte=Now())
        return self.filter(
            Q(state=Delivery.State.PENDING) & due | Q(state=Delivery.State.RETRYING),
            event_id=envelope.id,
            channel=channel,
            generation__lte=envelope.generation,
        ).exclude(reason=DIGEST)

    def at_rest(self, envelope: Envelope, channel: str) -> DeliveryQuerySet:
        """Those that a message of this event leaves alone, whatever its generation: but not those
        that failed, which the message that gave them up raises again until it is buried."""
        over = Q(state__in=Delivery.TERMINAL - {Delivery.State.FAILED})
        judged = Q(state=Delivery.State.UNKNOWN, next_try_at=None)
        return self.filter(over | judged, event_id=envelope.id, channel=channel)

    def end_unsent(
        self, state: Delivery.State, *, reason: str, error: str = "", fingerprint: str = ""
    ) -> int:
        """These of `left_to` are not sent after all: they are in a last state."""
        return self.update(
            state=state,
            reason=reason,
            last_error=error,
            fingerprint=fingerprint,
            next_try_at=None,
            finished_at=Now(),
            updated_at=Now(),
        )

    def erase(self, delivery: Delivery, *, proof: str, reason: str) -> int:
        """Nothing of where it was sent and what went wrong is kept; the duty ends if it is open.

        Not while somebody sends it. proof: stands where the address could be searched by.
        """
        of_it = self.filter(pk=delivery.pk).exclude(Delivery.IN_HAND)
        is_open = Q(state__in=Delivery.OPEN)
        return of_it.update(
            address="",
            address_hash=proof,
            last_error="",
            override="",
            edited="",
            locale=None,
            next_try_at=None,
            lease_until=None,
            reason=models.Case(models.When(is_open, then=models.Value(reason)), default="reason"),
            finished_at=models.Case(models.When(is_open, then=Now()), default="finished_at"),
            state=models.Case(
                models.When(is_open, then=models.Value(Delivery.State.DISCARDED)), default="state"
            ),
            updated_at=Now(),
        )

    def is_overridden(self, claim: Claim) -> bool:
        """Whether an operator insisted that this one is sent."""
        held = self.filter(pk=claim.delivery_id, token=claim.token)
        return held.exclude(override="").exists()

    def insisted_on(self, request: ClaimRequest) -> bool:
        """The same of a row that nobody has claimed yet."""
        asked = self.filter(
            event_id=request.event,
            channel=request.channel,
            recipient=request.recipient,
            route=request.route,
        )
        return asked.exclude(override="").exists()

    def original_of(self, claim: Claim) -> int | None:
        """The generation whose kept content this one is to send again; None: a text of its own."""
        held = self.filter(pk=claim.delivery_id, token=claim.token)
        return held.values_list("original", flat=True).first()

    def edited_of(self, claim: Claim) -> str:
        """What an operator has put right of the facts that this one is told; mostly nothing.

        Raises Unreadable: to read it as nothing would tell what was wrong once more.
        """
        held = self.filter(pk=claim.delivery_id, token=claim.token)
        sealed = held.annotate(sealed=Cast("edited", models.TextField()))
        return unseal(sealed.values_list("sealed", flat=True).first() or "")

    def _try_later(self, claim: Claim, legal: Delivery.State, **values: Any) -> bool:
        held = self.filter(pk=claim.delivery_id, token=claim.token, state=legal)
        return bool(
            held.update(state=Delivery.State.RETRYING, lease_until=None, updated_at=Now(), **values)
        )


class Delivery(models.Model):
    """One duty and its state; `notifications.deliveries` is the use case that moves it."""

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        SENDING = "sending", _("sending")
        RETRYING = "retrying", _("retrying")
        SENT = "sent", _("sent")
        DELIVERED = "delivered", _("delivered")
        BOUNCED = "bounced", _("bounced")
        COMPLAINED = "complained", _("complained")
        FAILED = "failed", _("failed")
        UNKNOWN = "unknown", _("unknown")
        SKIPPED = "skipped", _("skipped")
        DISCARDED = "discarded", _("discarded")

    TERMINAL = frozenset(
        {
            State.SENT,
            State.DELIVERED,
            State.BOUNCED,
            State.COMPLAINED,
            State.FAILED,
            State.SKIPPED,
            State.DISCARDED,
        }
    )
    OPEN = frozenset(State) - TERMINAL
    DISCARDABLE = frozenset({State.PENDING, State.RETRYING, State.UNKNOWN, State.FAILED})
    FAILURE = Q(state=State.FAILED) | Q(state=State.UNKNOWN, next_try_at=None)
    """What an operator must see to: nothing happens to it by itself."""

    IN_HAND = Q(state=State.SENDING) & (Q(lease_until=None) | Q(lease_until__gt=Now()))
    """Whose sender is at it. One whose lease has ended died, or is not believed any more."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event = models.ForeignKey(  # outcomes outlive events: no constraint, no cascade
        Event,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,  # the unique key below starts with it
        related_name="deliveries",
    )
    event_type = models.CharField(max_length=100)
    event_time = models.DateTimeField(help_text=_("When the event happened; lag counts from here."))
    subject = models.CharField(max_length=255)
    channel = models.CharField(max_length=40)
    route = models.CharField(max_length=40)
    recipient = models.CharField(
        max_length=255, help_text=_('The resolver\'s stable reference ("customer/42").')
    )
    address = SealedTextField(blank=True, help_text=_("Where it was last sent to; sealed."))
    address_hash = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    reason = models.CharField(
        max_length=100, blank=True, help_text=_("Why it was skipped, failed or discarded.")
    )
    generation = models.PositiveIntegerField(
        default=0, help_text=_("Raised by each resend or redrive.")
    )
    override = models.TextField(
        db_default="",
        blank=True,
        help_text=_("Who had it resent although it is no longer true, or expired, and why."),
    )
    original = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text=_("The generation whose text it sends again; none: rendered anew."),
    )
    edited = SealedTextField(
        db_default="",
        blank=True,
        help_text=_("What an operator put right of its event's facts, for it alone; sealed JSON."),
    )
    attempts = models.PositiveIntegerField(default=0, help_text=_("Attempts of this generation."))
    token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    next_try_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True, help_text=_("Redacted."))
    fingerprint = models.CharField(
        max_length=64,
        db_default="",
        blank=True,
        help_text=_("Of one that failed or is unknown: the same for failures of one cause."),
    )
    locale = models.CharField(max_length=35, null=True, blank=True)
    template_version = models.CharField(max_length=64, null=True, blank=True)
    provider = models.CharField(max_length=40, null=True, blank=True)
    provider_message_id = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True, help_text=_("First claimed."))
    sent_at = models.DateTimeField(null=True, blank=True, help_text=_("A provider accepted it."))
    finished_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Reached its last state.")
    )
    updated_at = models.DateTimeField(auto_now=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        permissions = [
            ("resend_delivery", "Can send deliveries once more"),
            ("edit_and_resend_delivery", "Can send deliveries once more with other words"),
            ("settle_delivery", "Can say what became of unknown deliveries"),
            ("discard_delivery", "Can discard deliveries"),
            ("view_personal_data", "Can see addresses and what people were told"),
            ("export_rows", "Can export lists as CSV"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["event", "channel", "recipient", "route"], name="delivery_once"
            ),
        ]
        indexes = [
            models.Index(fields=["subject", "created_at"], name="delivery_by_subject"),
            models.Index(fields=["address_hash"], name="delivery_by_address_hash"),
            models.Index(
                fields=["provider_message_id"],
                condition=~models.Q(provider_message_id=""),
                name="delivery_by_provider_id",
            ),
            models.Index(  # a person's, with the places below: "customer/42" and "customer/42/…"
                fields=["recipient", "created_at"],
                opclasses=["varchar_pattern_ops", "timestamptz_ops"],
                name="delivery_by_recipient",
            ),
            models.Index(fields=["channel", "created_at"], name="delivery_by_channel"),
            models.Index(fields=["created_at", "id"], name="delivery_newest"),
            # The operators' list under any filter: see `notifications.newest`.
            models.Index(
                fields=["channel", "event_type", "state", "created_at", "id"],
                name="delivery_newest_of_kind",
            ),
            models.Index(
                fields=["state", "created_at", "channel", "event_type"],
                condition=~models.Q(state__in=["sent", "delivered", "skipped"]),
                name="delivery_needs_a_look",
            ),
            models.Index(
                fields=["lease_until"],
                condition=models.Q(state="sending"),
                name="delivery_leases",
            ),
            # What counts towards a recipient's limit, however much they were told before: see
            # `notifications.models.throttle`.
            models.Index(
                fields=["recipient", "channel"],
                condition=Q(state__in=["sending", "unknown"]) | Q(next_try_at__isnull=False),
                name="delivery_in_hand",
            ),
            models.Index(
                fields=["recipient", "channel", "sent_at"],
                condition=Q(GreaterThan(F("sent_at") - F("created_at"), timedelta(hours=1))),
                name="delivery_told_late",
            ),
            # Failures by cause, counted in the index alone (`notifications.failure_counts`).
            models.Index(
                fields=["fingerprint", "updated_at"],
                include=["state", "channel", "provider", "event_type", "event_id"],
                condition=Q(state="failed") | Q(state="unknown", next_try_at=None),
                name="delivery_failures",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.subject} by {self.channel}"

    @property
    def masked_address(self) -> str:
        return mask(self.address)

    def answer_to(self, generation: int, *, now: datetime) -> tuple[ClaimOutcome, float]:
        """What a message of `generation` is told that could not have this row, and for how long."""
        if self.state in self.TERMINAL or self.generation > generation:
            return ClaimOutcome.DUPLICATE, 0.0
        if self.state == self.State.UNKNOWN and self.next_try_at is None:
            return ClaimOutcome.DUPLICATE, 0.0
        until = self.lease_until if self.state == self.State.SENDING else self.next_try_at
        seconds = (until - now).total_seconds() if until else 0.0
        if self.state == self.State.SENDING and seconds <= 0:
            return ClaimOutcome.LAPSED, 0.0
        return ClaimOutcome.BUSY, max(seconds, 0.0)
