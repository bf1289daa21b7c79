"""Fallbacks: an event is told once, by the first of several channels that succeeds.

    "order.shipped": [Fallback(("push", "sms", "email"), within=timedelta(minutes=30))]

Push is told at once, as by any route. SMS is called for when ten minutes have passed, or as soon
as push has failed, was skipped or came back; email ten minutes later, or as soon as SMS has. Each
step after the first is a dispatch to its channel's queue, ordered with the event itself: so a
channel that stands still (its provider is down, its queue paused) does not hold up the next. When
a step's message comes, the deliveries say whether it is called for; who was told already is not
told again. Once everybody has been told, what is still ahead is called off.

Each question is about one person: the deliveries whose recipient is `Recipient.who`, or begins
with it and a slash.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from celery.exceptions import SoftTimeLimitExceeded
from django.db import router
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from notifications import fallback_steps, recipients
from notifications.conf import Fallback, Route, conf
from notifications.envelope import Envelope
from notifications.exceptions import Busy
from notifications.models import Delivery, Event
from notifications.recipients import Recipient

TOLD_ALREADY = "told_already"
"""The reason why a step was skipped that another one made needless."""

LOOK_AGAIN = 2.0
"""Seconds after which a step looks again whether the one before it, just being sent, has come
through."""

_State = Delivery.State
_ARRIVED = frozenset({_State.DELIVERED, _State.COMPLAINED})
_IN_VAIN = frozenset({_State.FAILED, _State.SKIPPED, _State.BOUNCED, _State.DISCARDED})

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """One delivery of a rule. held: somebody is sending it now."""

    channel: str
    recipient: str
    state: str
    held: bool

    def is_of(self, who: str) -> bool:
        return self.recipient == who or self.recipient.startswith(f"{who}/")

    def told(self, rule: Fallback) -> bool:
        """A complaint, too, says that it arrived."""
        if self.channel in rule.confirmed:
            return self.state in _ARRIVED
        return self.state in _ARRIVED or self.state == _State.SENT

    @property
    def is_in_vain(self) -> bool:
        return self.state in _IN_VAIN


# When a step's message comes


def is_called_for(envelope: Envelope, route: Route, recipient: Recipient) -> bool:
    """Whether this route has to tell `recipient` now. Asks the database only for later steps.

    A delivery that is there was called for: it goes on, or says that it is done.
    """
    rule = route.rule
    if rule is None or not route.step:
        return True
    rows = _rows(envelope.id, rule, recipient.who)
    if any((row.channel, row.recipient) == (route.channel, recipient.reference) for row in rows):
        return True
    if any(row.told(rule) for row in rows):
        return False
    before = [row for row in rows if row.channel == rule.channels[route.step - 1]]
    in_vain = bool(before) and all(row.is_in_vain for row in before)
    return in_vain or _is_due(envelope, rule, route.step)


def told_already(envelope: Envelope, route: Route, recipient: Recipient) -> bool:
    """Whether another step has told them meanwhile. A first step that is in time asks nobody.

    Raises Busy while an earlier step is just being sent. Race: an earlier step that stood still
    and goes on while a later one is being sent tells them too; and so does a provider whose answer
    was lost, or whose receipt comes after its time.
    """
    rule = route.rule
    if rule is None or envelope.generation:
        return False  # a resend is an operator's wish
    if not route.step and timezone.now() < envelope.time + rule.share:
        return False
    others = [
        row for row in _rows(envelope.id, rule, recipient.who) if row.channel != route.channel
    ]
    if any(row.told(rule) for row in others):
        return True
    earlier = rule.channels[: route.step]
    if any(row.held and row.channel in earlier for row in others):
        raise Busy("an earlier step is just being sent", "earlier_step", LOOK_AGAIN)
    return False


def told_by_others(envelope: Envelope, channel: str) -> bool:
    """Whether everybody whom a message of `channel` would tell, by a rule alone, knows from another
    of its steps: there is nothing to mend in one that was given up. Asks the shop who they are."""
    routes = [route for route in conf().routes.get(envelope.type, ()) if route.channel == channel]
    told = [
        any(row.told(route.rule) for row in _rows(envelope.id, route.rule, recipient.who))
        for route in routes
        if route.rule and all(route.rule for route in routes)
        for recipient in recipients.resolve(envelope, route)
    ]
    return bool(told) and all(told)


# When a step's message is over


def go_on(envelope: Envelope, told: Iterable[tuple[Route, Recipient]], *, queue: str = "") -> None:
    """What becomes of the rules that these routes belong to, as far as they could get.

    told: everybody whom one channel was to tell. When all of them know, the steps ahead are called
    off; when one of them was told in vain, the next step comes now. queue: where the message came
    from; what follows one of a bulk queue travels by a bulk queue. The message comes again if we
    die before; then this is done twice, which does no harm. A resend goes no further.
    """
    if envelope.generation:
        return
    by_route: dict[Route, set[str]] = {}
    for route, recipient in told:
        if route.rule:
            by_route.setdefault(route, set()).add(recipient.who)
    for route, people in by_route.items():
        if route.rule:
            _go_on(envelope, route, route.rule, people, bulk=queue.endswith("-bulk"))


def nobody_here(envelope: Envelope, channel: str, *, queue: str = "") -> None:
    """A message found nobody to tell over `channel`. Where that is because the shop names nobody
    there, the next step comes in its time, also where none was ordered with the event."""
    if envelope.generation:
        return
    for route in conf().routes.get(envelope.type, ()):
        if route.channel != channel or route.rule is None:
            continue
        # Of a later step somebody may be named who was told already, or it came too early.
        if not route.step or not recipients.resolve(envelope, route):
            fallback_steps.insist_on_next(envelope, route, bulk=queue.endswith("-bulk"))


def _go_on(
    envelope: Envelope, route: Route, rule: Fallback, people: set[str], *, bulk: bool
) -> None:
    who = next(iter(people)) if len(people) == 1 else ""
    rows = _rows(envelope.id, rule, who)
    lost = still = 0
    for person in people:
        mine = [row for row in rows if row.is_of(person)]
        if any(row.told(rule) for row in mine):
            continue
        here = [row for row in mine if row.channel == route.channel]
        if here and all(row.is_in_vain for row in here):
            lost += 1
        else:
            still += 1
    if lost:
        fallback_steps.call_next(envelope, route, alone=not still, bulk=bulk)
    if still:
        fallback_steps.insist_on_next(envelope, route, bulk=bulk)
    elif not lost:
        fallback_steps.call_off(envelope.id, rule)


# What providers and operators say later


def came_back(delivery_ids: Iterable[UUID], *, using: str) -> None:
    """These were sent, or might have been, and did not arrive: the next step comes now, and those
    after it in their time again, had they been called off. In the caller's transaction."""
    for delivery, route in _of_rules(delivery_ids, using=using):
        event = Event.objects.using(using).filter(pk=delivery.event_id).first()
        if event is not None and not delivery.generation:
            fallback_steps.call_again(event, route, using=using)


def arrived(delivery_id: UUID) -> None:
    """A receipt says that it did. Whoever else was to be told, the steps ahead are called off when
    all of them were. No error goes past it, but a task's soft time limit: what is not called off
    finds out by itself."""
    using = router.db_for_write(Delivery)
    try:
        for delivery, route in _of_rules([delivery_id], using=using):
            event = Event.objects.using(using).filter(pk=delivery.event_id).first()
            if event is not None:
                envelope = event.envelope()
                people = recipients.resolve(envelope, route)
                go_on(envelope, [(route, recipient) for recipient in people])
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001 - the shop's resolver, or the database
        logger.warning("delivery %s: no step was called off: %s", delivery_id, type(error).__name__)


def _of_rules(ids: Iterable[UUID], *, using: str) -> Iterator[tuple[Delivery, Route]]:
    """Those of these deliveries that belong to a fallback. Where none is configured, no statement
    is made."""
    if not any(map(fallback_steps.rules_of, conf().routes)):
        return
    for delivery in Delivery.objects.using(using).filter(pk__in=list(ids)):
        for route in conf().routes.get(delivery.event_type, ()):
            if route.rule and (route.channel, route.name) == (delivery.channel, delivery.route):
                yield delivery, route


# The rows


def _rows(event_id: UUID, rule: Fallback, who: str) -> Sequence[Row]:
    """The rule's deliveries to one person; to everybody when `who` is empty."""
    found = Delivery.objects.filter(
        event_id=event_id, channel__in=rule.channels, route=rule.name
    ).order_by()
    if who:
        found = found.filter(Q(recipient=who) | Q(recipient__startswith=f"{who}/"))
    columns = found.annotate(now=Now()).values_list(
        "channel", "recipient", "state", "lease_until", "now"
    )
    return [
        Row(channel, recipient, state, state == _State.SENDING and bool(until and until > now))
        for channel, recipient, state, until, now in columns
    ]


def _is_due(envelope: Envelope, rule: Fallback, step: int) -> bool:
    """Whether it is past `fallback_steps.due_at`."""
    recorded = Event.objects.filter(pk=envelope.id).annotate(age=Now() - F("recorded_at"))
    age: timedelta | None = recorded.values_list("age", flat=True).first()
    if age is None:
        age = timezone.now() - envelope.time
    return age >= step * rule.share
