"""Replay: events of the past travel once more to one consumer, which does what it has not done.

Their generation stays what it was, so that the consumer's inbox and deliveries skip what they
know: a consumer that is new, or lost its queue, catches up, and one that missed nothing does
nothing. What it gave up on is a matter of `redrive`.

What is under way has a message of its own, and is left to it: but where the messages are lost (a
purged queue, a region), nothing else brings it on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now

from notifications import consumers, events, topology
from notifications.consumers import Consumer
from notifications.exceptions import EventRefused, UnknownEvent
from notifications.filters import between
from notifications.horizon import too_old
from notifications.models import Delivery, DigestWindow, Dispatch, Event, Handled, Job, JobItem
from notifications.work import AtOnce, Filter, Outcome, Verdict, left_alone, refused

_COLUMNS = {"subject": "subject", "event": "pk"}

_KNOWN = {
    Handled.Outcome.DONE: "{consumer} has done it already",
    Handled.Outcome.FAILED: "{consumer} has given it up: redrive its dead letter",
    Handled.Outcome.OPEN: "it is under way: {consumer} tries it again by itself, unless its "
    "message is lost (--messages-lost)",
}


def types_for(consumer: Consumer, asked: list[str]) -> list[str]:
    """The event types to replay to it: those that were asked for, or all that it takes.

    Raises ImproperlyConfigured naming those that it does not take.
    """
    travelling = (kind for kind in events.all_event_types() if kind.topic)
    taken = sorted({kind.name for kind in travelling if consumer.takes(kind.name)})
    if not taken:
        raise ImproperlyConfigured(f"{consumer.name} takes no events.")
    if strange := sorted(set(asked) - set(taken)):
        raise ImproperlyConfigured(
            f"{consumer.name} does not take {', '.join(strange)}; it takes {', '.join(taken)}."
        )
    return asked or taken


class Replay(AtOnce):
    """Filters: consumer (its name); event_type, subject, event (lists), since and until (of the
    event's recording); messages_lost: also what is under way, as of its latest generation, and
    what was resent or redriven of events of any time, and without event_type the digests that are
    due."""

    kind = Job.Kind.REPLAY
    column = "event_id"
    made_at = "recorded_at"

    def found(self, wanted: Filter) -> QuerySet[Event]:
        consumer = consumers.get(wanted["consumer"])
        asked = wanted.get("event_type", [])
        chosen = {
            f"{column}__in": wanted[name] for name, column in _COLUMNS.items() if wanted.get(name)
        }
        of_its_types = Q(type__in=types_for(consumer, asked))
        found = of_its_types & Q(**between("recorded_at", wanted))
        if wanted.get("messages_lost"):
            for rows in _under_way(consumer):
                again = rows.filter(generation__gt=0)
                found |= of_its_types & Q(pk__in=again.order_by().values("event_id"))
            if not asked:
                found |= Q(pk__in=_digests_under_way(consumer).values("pk"))
        return Event.objects.filter(found, **chosen)

    def take(self, item: JobItem) -> Event | None:
        return Event.objects.filter(mended_by=item).first()

    def weigh(self, event: Event, job: Job) -> Verdict:
        consumer = consumers.get(job.filter["consumer"])
        if why := too_old(event.time, event.recorded_at):
            return refused(why)
        try:
            event.envelope().payload()
        except (EventRefused, UnknownEvent) as error:
            return refused(f"its consumer could not read it: {error}")
        if not consumer.channel:  # a channel's deliveries are asked one by one, when it comes
            inbox = Handled.objects.filter(consumer=consumer.name, event_id=event.pk)
            outcome = inbox.values_list("outcome", flat=True).first()
            is_lost = outcome == Handled.Outcome.OPEN and _messages_are_lost(job)
            if outcome and not is_lost:
                why = _KNOWN[Handled.Outcome(outcome)]
                return left_alone(why.format(consumer=consumer.name))
        return Verdict(Outcome.DISPATCHED)

    def order(self, event: Event, job: Job, *, at: datetime) -> Verdict:
        consumer = consumers.get(job.filter["consumer"])
        lost = _messages_are_lost(job)
        dispatch = Dispatch.objects.postpone(
            event.envelope(generation=_generation_under_way(consumer, event) if lost else 0),
            queue=topology.current().bulk_queue(consumer.name).name,
            until=at,
            reason=Dispatch.Reason.REPLAYED,
        )
        return Verdict(Outcome.DISPATCHED, dispatch=dispatch, consumer=consumer.name)


def _messages_are_lost(job: Job) -> bool:
    return bool(job.filter.get("messages_lost"))


def _under_way(consumer: Consumer) -> tuple[QuerySet[Delivery], QuerySet[Handled]]:
    """Where it stands. A channel, too, has inbox rows: of what failed before any delivery."""
    told = Delivery.objects.filter(channel=consumer.channel or None, state__in=Delivery.OPEN)
    inbox = Handled.objects.filter(consumer=consumer.name, outcome=Handled.Outcome.OPEN)
    return told, inbox


def _digests_under_way(consumer: Consumer) -> QuerySet[DigestWindow]:
    """Of any time, as soon as they are due: their own events travel on no topic."""
    told, _inbox = _under_way(consumer)
    open_ones = Q(settled_at=None) | Q(pk__in=told.order_by().values("event_id"))
    windows = DigestWindow.objects.filter(channel=consumer.channel or None, due_at__lte=Now())
    return windows.filter(open_ones)


def _generation_under_way(consumer: Consumer, event: Event) -> int:
    """The latest: a message of it brings on what was resent or redriven, and all before it."""
    of_event = (rows.filter(event_id=event.pk) for rows in _under_way(consumer))
    latest = (rows.aggregate(it=Max("generation"))["it"] for rows in of_event)
    return max(generation or 0 for generation in latest)


def row(event: Event) -> dict[str, Any]:
    """How an event is named to an operator."""
    return {
        "event": str(event.pk),
        "event_type": event.type,
        "subject": event.subject,
        "time": event.time.isoformat(timespec="seconds"),
    }
