"""The later steps of a fallback as rows of the outbox: ordered, hurried, called off.

Each is a dispatch of the event to its channel's queue, with a time. Whether the step is called for
is decided when its message comes (`notifications.fallbacks`), so one too many does no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import router, transaction
from django.db.models.functions import Now
from django.utils import timezone

from notifications.conf import Fallback, Route, conf
from notifications.consumers import serving
from notifications.envelope import Envelope
from notifications.models import Dispatch, Event
from notifications.models.dispatch import DispatchQuerySet

logger = logging.getLogger(__name__)


def rules_of(event_type: str) -> list[Fallback]:
    """The fallbacks among its routes, each once."""
    routes = conf().routes.get(event_type, ())
    return list(dict.fromkeys(route.rule for route in routes if route.rule))


def order_steps(event: Event, *, using: str) -> None:
    """Order the later steps of an event that was recorded just now, in the caller's transaction.
    One that no fallback tells costs no statement."""
    rules = rules_of(event.type)
    if rules:
        Dispatch.objects.using(using).bulk_create(
            _dispatch(event.envelope(), route, until=due_at(event, route))
            for rule in rules
            for route in rule.routes()[1:]
        )


def keep(envelope: Envelope) -> None:
    """Keep another publisher's event, as `Event.objects.keep`, and order its later steps."""
    using = router.db_for_write(Event)
    with transaction.atomic(using=using):
        if Event.objects.using(using).keep(envelope):
            order_steps(Event.objects.using(using).get(pk=envelope.id), using=using)


def due_at(event: Event, route: Route) -> datetime:
    """By the database's clock, as the relays go by it: its message never comes before."""
    share = route.rule.share if route.rule else timedelta()
    return event.recorded_at + route.step * share


def call_next(envelope: Envelope, route: Route, *, alone: bool, bulk: bool) -> None:
    """The step after this one, now. alone: nobody else waits for the time that was set for it."""
    for following in _after(route)[:1]:
        ahead = _ahead(envelope.id, [following])
        if not (alone and ahead.update(available_at=Now())):
            _order(envelope, following, until=timezone.now(), bulk=bulk)
        logger.info(
            "event %s was told by %s in vain: %s is next",
            envelope.id,
            route.channel,
            following.channel,
        )


def insist_on_next(envelope: Envelope, route: Route, *, bulk: bool) -> None:
    """The step after this one comes in its time, also where nobody ordered it with the event (one
    that was made in bulk, say): a share of the rule's time from now."""
    for following in _after(route)[:1]:
        if _ordered(envelope.id, [following]).exists():
            return
        event = Event.objects.filter(pk=envelope.id).first()
        if event is not None and following.rule:
            in_time = timezone.now() + following.rule.share
            _order(envelope, following, until=max(in_time, due_at(event, following)), bulk=bulk)


def call_again(event: Event, route: Route, *, using: str) -> None:
    """What was told came back: the step after it now, and those after that in their time again, had
    they been called off. In the caller's transaction."""
    following = _after(route)
    waiting = set(_ahead(event.id, following).values_list("destination", flat=True))
    now = timezone.now()
    for number, later in enumerate(following):
        share = later.rule.share if later.rule else timedelta()
        until = max(now + number * share, due_at(event, later)) if number else now
        if not number or waiting.isdisjoint(_queues_of(later)):
            _dispatch(event.envelope(), later, until=until).save(using=using)


def call_off(event_id: UUID, rule: Fallback) -> None:
    """Everybody knows: no step that is ahead is needed."""
    _ahead(event_id, rule.routes()).delete()


def _after(route: Route) -> tuple[Route, ...]:
    return route.rule.routes()[route.step + 1 :] if route.rule else ()


def _ordered(event_id: UUID, routes: Iterable[Route]) -> DispatchQuerySet:
    return Dispatch.objects.filter(
        event_id=event_id,
        kind=Dispatch.Kind.QUEUE,
        reason=Dispatch.Reason.FELL_BACK,
        destination__in=[name for route in routes for name in _queues_of(route)],
    )


def _ahead(event_id: UUID, routes: Iterable[Route]) -> DispatchQuerySet:
    return _ordered(event_id, routes).filter(state=Dispatch.State.WAITING)


def _order(envelope: Envelope, route: Route, *, until: datetime, bulk: bool) -> None:
    _dispatch(envelope, route, until=until, bulk=bulk).save()


def _dispatch(envelope: Envelope, route: Route, *, until: datetime, bulk: bool = False) -> Dispatch:
    first, behind = _queues_of(route)
    bulk = bulk or envelope.announcement is not None  # thousands may come back at once
    return Dispatch(
        event_id=envelope.id,
        subject=envelope.subject,
        kind=Dispatch.Kind.QUEUE,
        destination=behind if bulk else first,
        reason=Dispatch.Reason.FELL_BACK,
        generation=envelope.generation,
        available_at=until,
    )


def _queues_of(route: Route) -> tuple[str, str]:
    """Its channel's queue, and the bulk queue behind it."""
    consumer = serving(route.channel)
    if consumer is None:
        return route.channel, route.channel
    return consumer.name, f"{consumer.name}-bulk" if consumer.bulk else consumer.name
