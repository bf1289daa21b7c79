"""Digests: of the events of a while, somebody is told in one message.

    "order.shipped": [Route("email", digest=Digest("orders.daily", at="08:00"))]

Such an event is not sent but collected: its delivery waits, pending, in the window that is open
for its recipient. The first of a window records an event of the digest's own type, and a dispatch
brings that to the channel's queue when the window is due. It is delivered like any other event:
claimed, decided, rendered, sent, recorded, resent; and the deliveries collected in it follow what
became of its own. What comes once it is being told is collected in the next window.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.signals import setting_changed
from django.db import router, transaction
from django.utils import timezone

from notifications import consumers, digest_items, events, quiet_hours, recipients, wall_clock
from notifications.conf import Digest, Route, as_far_as_readable, conf
from notifications.duties import Duty
from notifications.envelope import Envelope
from notifications.events import EventData, event
from notifications.exceptions import PermanentError, UnknownEvent
from notifications.models import Delivery, DigestItem, DigestWindow, Dispatch, Event
from notifications.models.claim import Claim
from notifications.models.wait import DIGEST as REASON
from notifications.models.wait import put_off, waits
from notifications.recipients import Recipient
from notifications.refusals import refusal

AT_ONCE = 100
"""Windows that one step of the chore settles."""

logger = logging.getLogger(__name__)


class DigestDue(EventData):
    """What every digest's event says; what is told in it stands in the rows."""

    window: UUID
    name: str


def configured() -> dict[str, Digest]:
    """The digests of NOTIFICATIONS["ROUTES"], by name."""
    routes = (route for routes in conf().routes.values() for route in routes)
    return {route.digest.name: route.digest for route in routes if route.digest}


def told_routes() -> dict[str, list[Route]]:
    """By event type, the routes on which a message is rendered of it: a digest's is one of these,
    what is told in it is not."""
    told: dict[str, list[Route]] = {}
    for event_type, routes in conf().routes.items():
        for route in routes:
            name = route.digest.name if route.digest else event_type
            told.setdefault(name, []).append(route)
    return told


def register_configured(**_: object) -> None:
    """Make an event type of each configured digest, and forget those that are none any more.

    A name that is none, or an event's of the shop, is left alone: the system check says so.
    """
    with as_far_as_readable():
        wanted = configured()
    for kind in events.all_event_types():
        if kind.data is DigestDue and kind.name not in wanted:
            events.unregister(kind.name)
    for digest in wanted.values():
        if events.is_name(digest.name) and is_free(digest.name):
            _register(digest)


def is_free(name: str) -> bool:
    """Whether no event of the shop has that name."""
    try:
        return events.newest(name).data is DigestDue
    except UnknownEvent:
        return True


def is_digest(envelope: Envelope) -> bool:
    """Whether this event only says that a digest is due."""
    try:
        return envelope.event_type.data is DigestDue
    except UnknownEvent:
        return False


def collect(duty: Duty) -> bool:
    """Whether the event is told in a digest: its message is done.

    Not what nothing would be sent of: that is to be on record at once.
    """
    digest, recipient = duty.route.digest, duty.recipient
    if digest is None or recipient.opted_out or not recipient.address:
        return False
    if refusal(duty.envelope.event_type, recipient, duty.channel):
        return False
    using = router.db_for_write(Delivery)
    request = duty.request()
    with transaction.atomic(using=using):
        window, is_new = DigestWindow.objects.using(using).collect(
            name=digest.name,
            channel=duty.channel,
            route=duty.route.name,
            recipient=recipient.reference,
            due_at=_by_day(due_at(digest, recipient, timezone.now()), duty),
        )
        waiting = put_off(request, until=window.due_at, reason=REASON, using=using)
        if waiting and DigestItem.objects.using(using).add(window, *waiting):
            if is_new:
                _order(window, duty, using)
            if window.items >= digest.most:
                DigestWindow.objects.using(using).filter(pk=window.pk).close()
                Dispatch.objects.using(using).pull_forward_digest(window.pk)
            return True
        collected = waiting is not None or waits(request, reason=REASON, using=using)
        transaction.set_rollback(True, using=using)  # it is in a window already, or not to be had
    return collected


def due_at(digest: Digest, recipient: Recipient, now: datetime) -> datetime:
    """When a digest is told whose first item comes now."""
    if not digest.at:
        return now + digest.window
    zone = wall_clock.zone_of(recipient.time_zone)
    return wall_clock.next_at(now, wall_clock.time_of_day(digest.at), zone)


def _by_day(moment: datetime, duty: Duty) -> datetime:
    """That, or the end of the quiet hours in which it lies: one digest then, and not one for each
    hour of the night."""
    return quiet_hours.ending(duty.recipient, duty.channel, moment) or moment


def addressees(envelope: Envelope, channel: str) -> Iterator[tuple[Route, Recipient]]:
    """Whom this digest is for, at the address that they have today; nobody for another channel.

    Without an address where the shop does not name them any more.
    """
    window = DigestWindow.objects.filter(pk=envelope.id, channel=channel).first()
    if window is None:
        return
    found = None
    for item, happened in digest_items.with_events(DigestItem.objects.of(window.pk)[::-1]):
        found = happened and digest_items.recipient_of(item, happened)
        if found:
            break
    yield Route(channel, window.route), found or Recipient(window.recipient)


def decide(duty: Duty, claim: Claim) -> str:
    """Why nothing of it is to be sent, or nothing. Closes the window: from here on, what comes is
    collected in the next one."""
    DigestWindow.objects.filter(pk=duty.envelope.id).close()
    items = DigestItem.objects.of(duty.envelope.id)
    reasons = digest_items.weigh(items, lambda: Delivery.objects.is_overridden(claim))
    changed = []
    for item, reason in zip(items, reasons, strict=True):
        if item.left_out != reason:
            item.left_out = reason
            changed.append(item)
    if changed:
        DigestItem.objects.leave_out(changed)
    return digest_items.common(reasons)


def context(duty: Duty) -> dict[str, Any]:
    """What a digest's templates may use: `items`, each with `event`, `data` and what the shop gives
    for it, in the order in which they happened; and `count`.

    An item of which the shop can say nothing is left out. Raises PermanentError when that is all.
    """
    told: list[dict[str, Any]] = []
    refused: PermanentError | None = None
    wanted = [item for item in DigestItem.objects.of(duty.envelope.id) if not item.left_out]
    for item, happened in digest_items.with_events(wanted):
        if happened is None:
            continue
        try:
            words = recipients.context(happened, duty.recipient)
        except PermanentError as error:
            item.left_out, refused = error.code[:100], error
            DigestItem.objects.leave_out([item])
        else:
            told.append({"event": happened, "data": happened.data, **words})
    if not told and refused:
        raise refused
    return {"items": told, "count": len(told)}


def settle(envelope: Envelope) -> None:
    """The deliveries that were collected in this digest follow its own, if that has ended."""
    DigestWindow.objects.settle(only=envelope.id)


def settle_all(*, using: str = "", go_on: Callable[[], bool] = lambda: True) -> int:
    """The same for every digest of which nobody has said so: that failed, or that a receipt or an
    operator has settled. How many."""
    windows = DigestWindow.objects.using(using or router.db_for_write(DigestWindow))
    total = 0
    while go_on():
        settled = windows.settle(limit=AT_ONCE)
        total += settled
        if settled < AT_ONCE:
            break
    return total


def why_not(delivery: Delivery, *, override: bool) -> str:
    """Why the shop would not have this digest sent now; empty when it would."""
    return digest_items.common(
        digest_items.weigh(DigestItem.objects.of(delivery.event_id), lambda: override)
    )


def would_differ(delivery: Delivery, *, override: bool) -> bool:
    """Whether other items would be told now than were told in this digest: then its original text
    says what holds no longer, or does not say what would be taken for told."""
    items = DigestItem.objects.of(delivery.event_id)
    reasons = digest_items.weigh(items, lambda: override)
    return any(
        bool(item.left_out) is not bool(why) for item, why in zip(items, reasons, strict=True)
    )


def _register(digest: Digest) -> None:
    known = {(kind.name, kind.category) for kind in events.all_event_types()}
    if (digest.name, digest.category) not in known:
        events.unregister(digest.name)
        event(digest.name, subject="digest/{window}", topic="", category=digest.category)(DigestDue)


def _order(window: DigestWindow, duty: Duty, using: str) -> None:
    """The event by which it is told, and the dispatch that brings it."""
    facts = DigestDue(window=window.pk, name=window.name)
    kind = events.newest(window.name)
    happened = Event.objects.using(using).create(
        id=window.pk,
        type=kind.name,
        version=kind.version,
        source=conf().source,
        subject=kind.subject_of(facts),
        time=window.due_at,
        data=facts.model_dump(mode="json"),
        expected=[],  # or its consumer would seem to be late until it is due
    )
    Dispatch.objects.using(using).postpone(
        happened.envelope(),
        queue=consumers.name_serving(duty.channel),
        until=window.due_at,
        reason=Dispatch.Reason.DIGEST,
    )


setting_changed.connect(
    lambda *, setting, **_: register_configured() if setting == "NOTIFICATIONS" else None,
    weak=False,
    dispatch_uid="notifications.digests",
)
