"""Resend: deliveries that an operator wants sent once more, sent or failed as they may be.

Each is re-opened as of its next generation and travels on its channel's bulk queue. What the
order has since made untrue is refused, now and once more when it is sent, unless the operator
overrides it; what a person has said for themselves, nobody may override.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from notifications import consumers, decision, digests, jobs, recipients, topology
from notifications.envelope import Envelope
from notifications.filters import between
from notifications.horizon import too_old
from notifications.jobs import Filter, Outcome, Verdict, left_alone, refused
from notifications.models import Delivery, Dispatch, Event, Job, JobItem
from notifications.recipients import Recipient
from notifications.redaction import redact
from notifications.rendered import kept

NAMED_BY = ("delivery", "subject", "event")
"""Filters that name single things. Any other means many people, and must say which states."""

ORIGINAL, CURRENT = "original", "current"
"""Which words a resend sends: those that were sent, or those that its templates make now."""

_COLUMNS = {
    "delivery": "pk",
    "subject": "subject",
    "event": "event_id",
    "event_type": "event_type",
    "channel": "channel",
    "state": "state",
}

_UNDER_WAY = {
    Delivery.State.PENDING: "it is under way: its first attempt is still ahead",
    Delivery.State.SENDING: "it is under way: its sender holds it, or died and is found out when "
    "its message comes again",
    Delivery.State.RETRYING: "it is under way: it is tried again by itself",
    Delivery.State.UNKNOWN: "it is under way: nobody knows whether it was sent, and it is tried "
    "again by itself",
}


def under_way(state: str, next_try_at: datetime | None) -> str:
    """Why a delivery in this state is not to be touched; empty when it is at rest."""
    if state == Delivery.State.UNKNOWN and next_try_at is None:
        return ""
    return _UNDER_WAY.get(Delivery.State(state), "")


class Resend:
    """Filters: delivery (ids), subject (texts), event (ids), event_type, channel, state (lists),
    since and until (of the delivery's making).

    `text` beside them says which words are sent: ORIGINAL, those that were sent the last time, to
    the letter, as long as they are kept; without it, what the templates make of it today."""

    kind = Job.Kind.RESEND
    column = "delivery_id"
    made_at = "created_at"

    def found(self, wanted: Filter) -> QuerySet[Delivery]:
        chosen = {
            f"{column}__in": wanted[name] for name, column in _COLUMNS.items() if wanted.get(name)
        }
        return Delivery.objects.filter(**chosen, **between("created_at", wanted))

    def take(self, item: JobItem) -> Delivery | None:
        return Delivery.objects.filter(mended_by=item).first()

    def weigh(self, delivery: Delivery, job: Job) -> Verdict:
        if why := under_way(delivery.state, delivery.next_try_at):
            return left_alone(why)
        event = Event.objects.filter(pk=delivery.event_id).first()
        if event is None:
            return refused("its event is kept no longer")
        if why := too_old(event.time, event.recorded_at):
            return refused(why)
        if why := why_not(event.envelope(), delivery, override=job.override):
            return refused(why)
        if _repeats(job) and (why := _why_not_original(event.envelope(), delivery, job)):
            return refused(f"{why}: resend it as it is rendered now")
        return Verdict(Outcome.DISPATCHED)

    def order(self, delivery: Delivery, job: Job, *, at: datetime) -> Verdict:
        generation = delivery.generation + 1
        override = redact(f"{job.actor}: {job.reason}") if job.override else ""
        # Race: a receipt, or another job, may have moved it while the shop was asked. It is not
        # locked meanwhile, lest a hook that hangs held up the claims of a worker.
        as_it_was = Delivery.objects.filter(
            pk=delivery.pk, state=delivery.state, generation=delivery.generation
        )
        told = kept(delivery.pk) if _repeats(job) else None
        original = told[0] if told else None
        if _repeats(job) and original is None:
            return refused("its original text has just grown too old to be kept")
        if not as_it_was.reopen(generation=generation, override=override, original=original):
            return left_alone("it has moved just now")
        consumer = consumers.name_serving(delivery.channel)
        dispatch = Dispatch.objects.postpone(
            replace(delivery.event.envelope(), generation=generation),
            queue=topology.current().bulk_queue(consumer).name,
            until=at,
            reason=Dispatch.Reason.RESENT,
        )
        return Verdict(
            Outcome.DISPATCHED,
            dispatch=dispatch,
            event_id=delivery.event_id,
            consumer=consumer,
            generation=generation,
        )

    def look(self, job: Job) -> str:
        return ""

    def may_begin(self, job: Job) -> bool:
        return True

    def is_over(self, job: Job) -> bool:
        return True


def resend_one(delivery: Delivery, *, by: str, reason: str, text: str = CURRENT) -> str:
    """Resend one delivery, by a job of one item. Why it was not; empty when it is on its way."""
    wanted: dict[str, Any] = {"delivery": [str(delivery.pk)]}
    if text == ORIGINAL:
        wanted["text"] = ORIGINAL
    work = Resend()
    job = jobs.begin(work, wanted, by=by, reason=reason, rate=1.0)
    job = jobs.run(work, job.pk)
    item = job.items.get()
    return "" if item.outcome == Outcome.DISPATCHED else item.why


def _repeats(job: Job) -> bool:
    return bool(job.filter.get("text") == ORIGINAL)


def _why_not_original(envelope: Envelope, delivery: Delivery, job: Job) -> str:
    if kept(delivery.pk) is None:
        return "its original text is kept no longer"
    if digests.is_digest(envelope) and digests.would_differ(delivery, override=job.override):
        return "other items would be told now"
    return ""


def why_not(envelope: Envelope, delivery: Delivery, *, override: bool) -> str:
    """Why the shop would not have it sent now; empty when it would. Asks the shop's hooks."""
    if consumers.serving(delivery.channel) is None:
        return f"no consumer serves the channel {delivery.channel}"
    if delivery.state == Delivery.State.COMPLAINED:
        return "complained: who was told has said that it is spam"
    if digests.is_digest(envelope):
        return digests.why_not(delivery, override=override)
    recipient = _named(envelope, delivery)
    if recipient is None:
        return f"no_longer_named: the shop does not name {delivery.recipient} any more"
    no = decision.objection(envelope, recipient, channel=delivery.channel)
    if no is None or (no.overridable and override):
        return ""
    return no.reason


def _named(envelope: Envelope, delivery: Delivery) -> Recipient | None:
    """The recipient, as the shop knows it today."""
    return recipients.named(
        envelope,
        channel=delivery.channel,
        route=delivery.route,
        reference=delivery.recipient,
    )


def row(delivery: Delivery) -> dict[str, Any]:
    """How a delivery is named to an operator; no address."""
    return {
        "delivery": str(delivery.pk),
        "event_type": delivery.event_type,
        "subject": delivery.subject,
        "channel": delivery.channel,
        "recipient": delivery.recipient,
        "was": delivery.state,
    }
