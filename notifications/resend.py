"""Resend: deliveries that an operator wants sent once more, sent or failed as they may be.

Each is re-opened as of its next generation and travels on its channel's bulk queue. What the
order has since made untrue is refused, now and once more when it is sent, unless the operator
overrides it; what a person has said for themselves, nobody may override.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import router, transaction
from django.db.models import Q, QuerySet

from notifications import consumers, decision, digests, edits, jobs, recipients, topology
from notifications.envelope import Envelope
from notifications.filters import between
from notifications.horizon import too_old
from notifications.models import Delivery, Dispatch, Event, Job, JobItem
from notifications.recipients import Recipient
from notifications.redaction import redact
from notifications.rendered import kept
from notifications.work import AtOnce, Filter, Outcome, Verdict, left_alone, refused

NAMED_BY = ("delivery", "subject", "event", "named")
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
    "provider": "provider",
    "fingerprint": "fingerprint",
}
_VERSION = "template_version"

_NAMES = {
    "delivery": "pk",
    "event": "event_id",
    "subject": "subject",
    "person": "recipient",
    "provider_message_id": "provider_message_id",
    "address_hash": "address_hash",
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


def named(names: Iterable[str]) -> Q:
    """Whatever has one of these names, "<what>:<name>": what a search in the list means.

    A person's are those to their devices, too. Raises ValueError.
    """
    means = Q(pk__in=[])
    for text in names:
        what, _, name = text.partition(":")
        if what not in _NAMES:
            raise ValueError(f"{what!r} names no delivery: use {', '.join(_NAMES)}")
        means |= Q(**{_NAMES[what]: UUID(name) if what in ("delivery", "event") else name})
        if what == "person" and "/" in name:  # and their devices: "customer/42/device/7"
            means |= Q(recipient__startswith=f"{name}/")
    return means


class Resend(AtOnce):
    """Filters: delivery (ids), subject (texts), event (ids), event_type, channel, state, provider,
    fingerprint, template_version (lists), named (see `named`), since and until (of the delivery's
    making).

    `text` beside them says which words are sent: ORIGINAL, those that were sent the last time, to
    the letter, as long as they are kept; without it, what the templates make of it today."""

    kind = Job.Kind.RESEND
    column = "delivery_id"
    made_at = "created_at"

    def found(self, wanted: Filter) -> QuerySet[Delivery]:
        chosen = {
            f"{column}__in": wanted[name] for name, column in _COLUMNS.items() if wanted.get(name)
        }
        rows = Delivery.objects.filter(**chosen, **between("created_at", wanted))
        if labels := wanted.get(_VERSION):
            rows = rows.filter(_rendered_with(labels))
        return rows.filter(named(wanted["named"])) if wanted.get("named") else rows

    def take(self, item: JobItem) -> Delivery | None:
        return Delivery.objects.filter(mended_by=item).first()

    def weigh(self, delivery: Delivery, job: Job) -> Verdict:
        if why := under_way(delivery.state, delivery.next_try_at):
            return left_alone(why)
        # Race: found as failed, and mended since by a redrive, say: it must not be told twice.
        if (states := job.filter.get("state")) and delivery.state not in states:
            return left_alone(f"it is {delivery.get_state_display()} by now")
        event = Event.objects.filter(pk=delivery.event_id).first()
        if event is None:
            return refused("its event is kept no longer")
        if why := too_old(event.time, event.recorded_at):
            return refused(why)
        told = self.envelope(event, delivery)
        if why := why_not(told, delivery, override=job.override):
            return refused(why)
        if _repeats(job) and (why := _why_not_original(told, delivery, job)):
            return refused(f"{why}: resend it as it is rendered now")
        return Verdict(Outcome.DISPATCHED)

    def envelope(self, event: Event, delivery: Delivery) -> Envelope:
        """The event as this delivery would be told it."""
        return edits.told(event, delivery)

    def order(self, delivery: Delivery, job: Job, *, at: datetime) -> Verdict:
        return self.reopen(delivery, job, at=at)

    def reopen(
        self, delivery: Delivery, job: Job, *, at: datetime, edited: str | None = None
    ) -> Verdict:
        """edited: as the delivery's column takes it; None: what was put right before holds."""
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
        if not as_it_was.reopen(
            generation=generation, override=override, original=original, edited=edited
        ):
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


def resend_one(
    delivery: Delivery,
    *,
    by: str,
    reason: str,
    text: str = CURRENT,
    override: bool = False,
    work: Resend | None = None,
) -> str:
    """Resend one delivery, by a job of one item. Why it was not; empty when it is on its way.

    In one transaction: whoever dies in it leaves no job behind that keeps others from it.
    """
    wanted: dict[str, Any] = {"delivery": [str(delivery.pk)]}
    if text == ORIGINAL:
        wanted["text"] = ORIGINAL
    work = work or Resend()
    try:
        with transaction.atomic(using=router.db_for_write(Job)):
            job = jobs.begin(work, wanted, by=by, reason=reason, rate=1.0, override=override)
            item = jobs.run(work, job.pk).items.get()
    except jobs.AlreadyOpen as error:
        return error.message.rstrip(".")
    return "" if item.outcome == Outcome.DISPATCHED else item.why


def objection(delivery: Delivery, *, override: bool = False, work: Resend | None = None) -> str:
    """Why it would not be resent now, however the shop answers; empty when it would."""
    job = Job(kind=Job.Kind.RESEND, filter={}, override=override)
    return jobs.weigh(work or Resend(), delivery, job).why


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


def filters() -> tuple[str, ...]:
    """The names of all of its filters that take several values."""
    return tuple(dict.fromkeys((*_COLUMNS, _VERSION, *NAMED_BY)))


def _rendered_with(labels: Iterable[str]) -> Q:
    """Told last in the words of one of these versions ("v3#17"), whatever files it includes."""
    words = Q(pk__in=[])
    for label in labels:
        words |= Q(template_version=label) | Q(template_version__startswith=f"{label}+")
    return words
