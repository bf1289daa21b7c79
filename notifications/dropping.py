"""Dropping: what waits in the outbox to be told over a channel is not told any more.

What waits there was put off (its type, template or announcement is paused; a recipient's limit,
quiet hours, a digest), or is ahead (an announcement, the next step of a fallback, a resend). With
its dispatch it goes for good; each delivery that it would have made or gone on with is on record
as discarded. What has been published is out of reach: pause its type or its template, and the
workers put it back here. A service's messages are not dropped: what it does is no news.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet

from notifications import (
    consumers,
    delivery_discards,
    digests,
    fallbacks,
    recipients,
    topology,
)
from notifications.conf import Route, conf
from notifications.envelope import Envelope
from notifications.filters import between
from notifications.models import Delivery, Dispatch, Event, Handled, Job, JobItem
from notifications.models.wait import QUIET_HOURS, RECIPIENT_LIMIT, WORDS
from notifications.recipients import Recipient, address_hash
from notifications.work import AtOnce, Filter, Outcome, Verdict, left_alone

Reason = Dispatch.Reason

_WAITS_FOR = {Reason.QUIET_HOURS: QUIET_HOURS, Reason.THROTTLED: RECIPIENT_LIMIT}
"""What the deliveries wait for that such a dispatch goes on with: others of its event are not its
own."""

_RE_OPENED = {*_WAITS_FOR, Reason.RESENT, Reason.REOPENED}
"""Why there are rows of all that such a dispatch goes on with: none is made for it."""

MOST_COUNTED = 20_000
"""Rows of the outbox that a page counts whenever somebody looks: some tens of milliseconds."""

_NOT_BEGUN = (Delivery.State.PENDING, Delivery.State.RETRYING)


@dataclass(frozen=True)
class Pending:
    """So many messages of one event type wait for one queue, for one reason."""

    event_type: str
    queue: str
    reason: str
    count: int

    @property
    def channel(self) -> str:
        return channels().get(self.queue, "")


@dataclass(frozen=True)
class Outbox:
    """is_cut: only MOST_COUNTED were counted, so each is that many at least."""

    rows: Sequence[Pending]
    is_cut: bool

    def words(self, count: int) -> str:
        return f"{count:,}{'+' if self.is_cut and count else ''}"


class Drop(AtOnce):
    """Filters: event_type, channel, reason (lists), since, until (of the dispatch's making)."""

    kind = Job.Kind.DROP
    column = "dispatch_id"
    made_at = "created_at"

    def found(self, wanted: Filter) -> QuerySet[Dispatch]:
        chosen = {
            lookup: wanted[name]
            for name, lookup in (("event_type", "event__type__in"), ("reason", "reason__in"))
            if wanted.get(name)
        }
        meant = set(wanted.get("channel") or conf().channels)
        queues = [queue for queue, channel in channels().items() if channel in meant]
        return Dispatch.objects.filter(
            state=Dispatch.State.WAITING,
            kind=Dispatch.Kind.QUEUE,
            destination__in=queues,
            event__isnull=False,
            **chosen,
            **between("created_at", wanted),
        )

    def take(self, item: JobItem) -> Dispatch | None:
        return Dispatch.objects.select_related("event").filter(pk=item.dispatch_id or 0).first()

    def weigh(self, dispatch: Dispatch, job: Job) -> Verdict:
        if dispatch.state != Dispatch.State.WAITING:
            return _on_its_way(dispatch)
        return Verdict(Outcome.DONE)

    def order(self, dispatch: Dispatch, job: Job, *, at: datetime) -> Verdict:
        event, channel = dispatch.event, channels().get(dispatch.destination)
        # Race: a relay claims it now. Whoever comes second finds it claimed, or gone.
        waiting = Dispatch.objects.filter(pk=dispatch.pk, state=Dispatch.State.WAITING)
        if event is None or channel is None or waiting.select_for_update().first() is None:
            return _on_its_way(dispatch)
        waiting.delete()
        ids = _owed(dispatch, event, channel)
        delivery_discards.discard(ids, by=job.actor, reason=job.reason)
        return Verdict(
            Outcome.DONE,
            why=f"{channel}, {dispatch.get_reason_display()}: {_deliveries(len(ids))} discarded",
            dispatch=dispatch,
            consumer=consumers.name_serving(channel),
            generation=dispatch.generation,
        )


def pending(wanted: Filter) -> list[Pending]:
    """What the filter means now, counted."""
    kinds = ("event__type", "destination", "reason")
    found = Drop().found(wanted).order_by().values_list(*kinds).annotate(Count("pk"))
    return [Pending(*row) for row in found.order_by(*kinds)]


def outbox() -> Outbox:
    """What waits there for the queues of channels and of services, by kind."""
    rows = [Pending(*row) for row in Dispatch.objects.tally(most=MOST_COUNTED)]
    return Outbox(rows, sum(row.count for row in rows) >= MOST_COUNTED)


def channels() -> Mapping[str, str]:
    """The channel that each queue of a channel's consumer serves, by the queue's name."""
    served = {queue.name: consumers.channel_of(queue.consumer) for queue in _polled()}
    return {queue: channel for queue, channel in served.items() if channel}


def row(dispatch: Dispatch) -> dict[str, Any]:
    """How a dispatch is named to an operator."""
    return {
        "dispatch": dispatch.pk,
        "event_type": dispatch.event.type if dispatch.event else "",
        "subject": dispatch.subject,
        "queue": dispatch.destination,
        "was": dispatch.reason,
    }


def _polled() -> Iterable[topology.Queue]:
    return (queue for queue in topology.current().queues if not queue.role.is_grave)


def _owed(dispatch: Dispatch, event: Event, channel: str) -> list[UUID]:
    """The deliveries that it would have gone on with; those that it would have made are made."""
    if dispatch.reason not in _RE_OPENED:
        envelope = event.envelope(generation=dispatch.generation)
        made = [_delivery(envelope, *whom) for whom in _addressees(envelope, channel)]
        Delivery.objects.bulk_create(made, ignore_conflicts=True)
        consumer = consumers.name_serving(channel)
        # As its message would have done: the inbox waits for it, and maybe the job that ordered it.
        if made:
            Handled.objects.close_open(consumer, envelope)
        else:
            Handled.objects.mark_done(consumer, envelope)
    begun = Delivery.objects.filter(
        event_id=event.pk,
        channel=channel,
        state__in=_NOT_BEGUN,
        generation__lte=dispatch.generation,
    )
    reason = _WAITS_FOR.get(Reason(dispatch.reason))
    mine = begun.filter(reason=reason) if reason else begun.exclude(reason__in=WORDS)
    return list(mine.values_list("pk", flat=True))


def _addressees(envelope: Envelope, channel: str) -> Iterator[tuple[Route, Recipient]]:
    """Whom its message would have been for: not who was told by another step of a fallback."""
    if digests.is_digest(envelope):
        yield from digests.addressees(envelope, channel)
    for route in conf().routes.get(envelope.type, ()):
        if route.channel == channel:
            for recipient in recipients.resolve(envelope, route):
                if not (route.rule and fallbacks.told_already(envelope, route, recipient)):
                    yield route, recipient


def _delivery(envelope: Envelope, route: Route, recipient: Recipient) -> Delivery:
    return Delivery(
        event_id=envelope.id,
        event_type=envelope.type,
        event_time=envelope.time,
        subject=envelope.subject,
        channel=route.channel,
        route=route.name,
        recipient=recipient.reference,
        address=recipient.address,
        address_hash=address_hash(recipient.address),
        locale=recipient.locale or None,
        generation=envelope.generation,
    )


def _on_its_way(dispatch: Dispatch) -> Verdict:
    return left_alone("a relay has it already: it is on its way to its queue")


def _deliveries(count: int) -> str:
    return "1 delivery" if count == 1 else f"{count} deliveries"
