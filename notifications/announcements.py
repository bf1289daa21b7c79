"""Announcements: one event type told to a whole audience; begun, paused, resumed, cancelled.

The relays take the audience batch by batch (`notifications.expansion`); each person's event
travels on the bulk queues, so no fresh receipt waits behind it. A pause holds what is ahead, and
what lies on the queues goes back to the outbox; of a cancelled one nothing more is sent. Workers
obey within seconds (`notifications.announcement_states`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.db.models.functions import Now

from notifications import announcement_states, audiences, consumers, decision, events, recipients
from notifications.audiences import Audience
from notifications.conf import Route, conf
from notifications.envelope import Envelope
from notifications.events import EventType
from notifications.exceptions import EventRefused, NotificationError, UnknownEvent
from notifications.expansion import event_of
from notifications.models import Announcement, Dispatch, Lane
from notifications.nudges import nudge

LOOKED_AT = 1000
"""People of whom `try_out` asks the shop whether they would be told."""


class Refused(NotificationError):
    """An announcement that cannot be begun, or moved, as asked."""

    default_code = "announcement_refused"


@dataclass(frozen=True)
class Wish:
    """What is to be announced to whom, as it was asked for and found to be possible."""

    kind: EventType
    audience: Audience
    data: Mapping[str, Any]
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """What would come of it. looked_at: the first people of the audience, of whom each channel
    would tell `told`, and not tell `excluded`, by reason. refused: rows that make no event."""

    people: int
    looked_at: int
    told: Mapping[str, int]
    excluded: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    refused: int = 0
    why_refused: str = ""


def wish(
    event_type: str,
    *,
    audience: str,
    data: Mapping[str, Any] | None = None,
    channels: Sequence[str] = (),
) -> Wish:
    """channels: of those that the event type is routed to; empty is all of them. data: its fields
    that are the same for everybody.

    Raises Refused, saying what is wrong.
    """
    try:
        kind, whom = events.newest(event_type), audiences.get(audience)
    except (UnknownEvent, ImproperlyConfigured) as error:
        raise Refused(error.message if isinstance(error, UnknownEvent) else str(error)) from None
    if kind.internal:
        raise Refused(f"{event_type} is no event that travels")
    return Wish(kind, whom, dict(data or {}), _channels(kind.name, channels))


def begin(wanted: Wish, *, by: str, reason: str, rate: float | None = None) -> Announcement:
    """Begin it: the relays take it from here. Whom it reaches is whoever is in the audience now.

    rate: people a second over each channel, at most. Raises Refused when its first person's event
    could not be made, as then nobody's can.
    """
    if rate is not None and not rate > 0:
        raise Refused("the rate must be above 0")
    upto = wanted.audience.last_key()
    _insist_on_an_event(wanted, upto)
    using = router.db_for_write(Announcement)
    with transaction.atomic(using=using):
        announcement = Announcement.objects.using(using).create(
            event_type=wanted.kind.name,
            version=wanted.kind.version,
            data=dict(wanted.data),
            audience=wanted.audience.name,
            channels=list(wanted.channels),
            rate=rate,
            actor=by,
            reason=reason,
            estimate=wanted.audience.count(),
            upto=upto,
        )
        Lane.objects.using(using).bulk_create(
            Lane(announcement=announcement, channel=channel) for channel in wanted.channels
        )
        announcement.write(f"begun, about {people(announcement.estimate)}: {reason}", by=by)
    announcement.refresh_from_db()
    return announcement


def pause(number: int, *, by: str, reason: str) -> Announcement:
    """Take nobody more, and hold what lies on the queues. Raises Refused."""
    return _move(number, Announcement.objects.pause, "paused", by=by, reason=reason)


def resume(number: int, *, by: str, reason: str = "") -> Announcement:
    """On with it, and first with what was put off. Raises Refused."""
    return _move(number, Announcement.objects.resume, "resumed", by=by, reason=reason, pull=True)


def cancel(number: int, *, by: str, reason: str) -> Announcement:
    """For good. What is not sent yet is skipped, as `announcement_cancelled`. Raises Refused."""
    return _move(number, Announcement.objects.cancel, "cancelled", by=by, reason=reason, pull=True)


def find(number: int) -> Announcement:
    """Raises Refused."""
    found = Announcement.objects.filter(pk=number).first()
    if found is None:
        raise Refused(f"There is no announcement {number}.")
    return found


def try_out(wanted: Wish, *, most: int = LOOKED_AT) -> Trial:
    """Ask the shop of the first people whether they would be told. Changes nothing."""
    upto, taken, after = wanted.audience.last_key(), 0, ""
    told = dict.fromkeys(wanted.channels, 0)
    excluded: dict[str, dict[str, int]] = {channel: {} for channel in wanted.channels}
    refused, why = 0, ""
    while upto and taken < most:
        rows = wanted.audience.page(after, upto, min(250, most - taken))
        if not rows:
            break
        for row in rows:
            try:
                event = event_of(wanted.kind, wanted.audience, wanted.data, row)
            except EventRefused as error:
                refused, why = refused + 1, error.message
                continue
            for channel in wanted.channels:
                for word in _weigh(event.envelope(), channel):
                    if word:
                        excluded[channel][word] = excluded[channel].get(word, 0) + 1
                    else:
                        told[channel] += 1
        taken, after = taken + len(rows), wanted.audience.key_of(rows[-1])
    return Trial(wanted.audience.count(), taken, told, excluded, refused, why)


def people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


def _channels(event_type: str, asked: Sequence[str]) -> tuple[str, ...]:
    # A later step of a fallback is no lane: the one before it orders it, on the bulk queue too.
    routes = (route for route in conf().routes.get(event_type, ()) if not route.step)
    routed = list(dict.fromkeys(route.channel for route in routes))
    if not routed:
        raise Refused(f"{event_type} is told over no channel: give it routes in the settings.")
    if strange := sorted(set(asked) - set(routed)):
        raise Refused(
            f"{event_type} is not told over {', '.join(strange)}; "
            f"its channels are {', '.join(routed)}."
        )
    chosen = tuple(channel for channel in routed if not asked or channel in asked)
    served = {consumer.channel for consumer in consumers.all_consumers()}
    if unserved := sorted(set(chosen) - served):
        raise Refused(f"No consumer serves {', '.join(unserved)}.")
    return chosen


def _insist_on_an_event(wanted: Wish, upto: str) -> None:
    for row in wanted.audience.page("", upto, 1) if upto else ():
        try:
            event_of(wanted.kind, wanted.audience, wanted.data, row)
        except EventRefused as error:
            raise Refused(error.message) from None


def _weigh(envelope: Envelope, channel: str) -> Iterable[str]:
    """For each message that there would be, why it would not be sent, or nothing."""
    routes = [route for route in conf().routes[envelope.type] if route.channel == channel]
    return itertools.chain.from_iterable(_objections(envelope, route) for route in routes)


def _objections(envelope: Envelope, route: Route) -> Iterable[str]:
    try:
        found = recipients.resolve(envelope, route)
    except NotificationError as error:
        return [error.code]
    reasons = (
        decision.objection(envelope, recipient, channel=route.channel) for recipient in found
    )
    return [reason.reason.partition(":")[0] if reason else "" for reason in reasons]


def _move(
    number: int, verb: Any, done: str, *, by: str, reason: str, pull: bool = False
) -> Announcement:
    """pull: what waits in the outbox is due now, be it to be sent or to be skipped."""
    using = router.db_for_write(Announcement)
    with transaction.atomic(using=using):
        if not verb(number):
            state = find(number).get_state_display()
            raise Refused(f"Announcement {number} is {state}.")
        announcement = find(number)
        announcement.write(f"{done}{f': {reason}' if reason else ''}", by=by)
        if pull and Dispatch.objects.of_announcement(number).update(available_at=Now()):
            transaction.on_commit(lambda: nudge(using), using=using, robust=True)
    announcement_states.look_again()
    return announcement
