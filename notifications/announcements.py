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
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction
from django.db.models.functions import Least, Now
from django.utils.translation import gettext

from notifications import (
    announcement_states,
    audiences,
    audit,
    consumers,
    decision,
    events,
    recipients,
)
from notifications.audiences import Audience
from notifications.conf import Route, conf
from notifications.envelope import Envelope
from notifications.events import EventType
from notifications.exceptions import EventRefused, NotificationError, UnknownEvent
from notifications.expansion import event_of
from notifications.models import Announcement, Dispatch, Lane
from notifications.nudges import nudge
from notifications.rate_limits import FASTEST, SLOWEST, in_words
from notifications.redaction import redact

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
        raise Refused(
            gettext("%(event_type)s is no event that travels") % {"event_type": event_type}
        )
    return Wish(kind, whom, dict(data or {}), _channels(kind.name, channels))


def begin(wanted: Wish, *, by: str, reason: str, rate: float | None = None) -> Announcement:
    """Begin it: the relays take it from here. Whom it reaches is whoever is in the audience now.

    rate: people a second over each channel, at most. Raises Refused when nobody keeps such a rate,
    and when its first person's event could not be made, as then nobody's can.
    """
    _insist_on_rate(rate)
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
            reason=redact(reason),
            estimate=wanted.audience.count(),
            upto=upto,
        )
        Lane.objects.using(using).bulk_create(
            Lane(announcement=announcement, channel=channel) for channel in wanted.channels
        )
        announcement.write(f"begun, about {people(announcement.estimate)}: {reason}", by=by)
        audit.record(
            "announcement.start",
            by=by,
            reason=reason,
            target=announcement,
            after={
                "state": announcement.state,
                "event_type": announcement.event_type,
                "audience": announcement.audience,
                "channels": announcement.channels,
                "rate": rate,
            },
            count=announcement.estimate,
        )
    announcement.refresh_from_db()
    return announcement


def pause(number: int, *, by: str, reason: str) -> Announcement:
    """Take nobody more, and hold what lies on the queues. Raises Refused."""
    return _move("pause", number, "paused", by=by, reason=reason)


def resume(number: int, *, by: str, reason: str = "") -> Announcement:
    """On with it, and first with what was put off. Raises Refused."""
    return _move("resume", number, "resumed", by=by, reason=reason, pull=True)


def cancel(number: int, *, by: str, reason: str) -> Announcement:
    """For good. What is not sent yet is skipped, as `announcement_cancelled`. Raises Refused."""
    return _move("cancel", number, "cancelled", by=by, reason=reason, pull=True)


def change_rate(number: int, rate: float | None, *, by: str, reason: str) -> Announcement:
    """From now on so many people a second over each channel, at most; None: as fast as the accounts
    allow. What lies on the queues already goes at its old pace. Raises Refused."""
    _insist_on_rate(rate)
    using = router.db_for_write(Announcement)
    with transaction.atomic(using=using):
        announcement = Announcement.objects.using(using).held(number, wait=True)
        if announcement is None or announcement.state not in Announcement.OPEN:
            raise Refused(
                gettext("Announcement %(number)s is %(state)s.")
                % {"number": number, "state": find(number).get_state_display()}
            )
        before, announcement.rate = announcement.rate, rate
        announcement.save(update_fields=["rate"])
        # A slow one may have set its lanes' next batch hours ahead.
        soon = Now() + timedelta(seconds=1 / rate if rate else 0)
        announcement.lanes.update(next_at=Least("next_at", soon))
        was, now = in_words(before), in_words(rate)
        announcement.write(f"its rate is {now} over each channel, it was {was}: {reason}", by=by)
        audit.record(
            "announcement.rate",
            by=by,
            reason=reason,
            target=announcement,
            before={"rate": was},
            after={"rate": now},
        )
    return announcement


def find(number: int) -> Announcement:
    """Raises Refused."""
    found = Announcement.objects.filter(pk=number).first()
    if found is None:
        raise Refused(gettext("There is no announcement %(number)s.") % {"number": number})
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
        raise Refused(
            gettext("%(event_type)s is told over no channel: give it routes in the settings.")
            % {"event_type": event_type}
        )
    if strange := sorted(set(asked) - set(routed)):
        raise Refused(
            gettext("%(event_type)s is not told over %(strange)s; its channels are %(routed)s.")
            % {"event_type": event_type, "strange": ", ".join(strange), "routed": ", ".join(routed)}
        )
    chosen = tuple(channel for channel in routed if not asked or channel in asked)
    served = {consumer.channel for consumer in consumers.all_consumers()}
    if unserved := sorted(set(chosen) - served):
        raise Refused(
            gettext("No consumer serves %(unserved)s.") % {"unserved": ", ".join(unserved)}
        )
    return chosen


def _insist_on_rate(rate: float | None) -> None:
    """At a slower one no moment could be told at which the next person's turn comes."""
    if rate is not None and not SLOWEST <= rate <= FASTEST:
        raise Refused(
            gettext("the rate must be between one a day and %(most)s a second")
            % {"most": f"{FASTEST:,.0f}"}
        )


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
    verb: str, number: int, done: str, *, by: str, reason: str, pull: bool = False
) -> Announcement:
    """pull: what waits in the outbox is due now, be it to be sent or to be skipped."""
    using = router.db_for_write(Announcement)
    with transaction.atomic(using=using):
        held = Announcement.objects.using(using).held(number, wait=True)
        before = held.state if held else ""
        if not getattr(Announcement.objects, verb)(number):
            state = find(number).get_state_display()
            raise Refused(
                gettext("Announcement %(number)s is %(state)s.")
                % {"number": number, "state": state}
            )
        announcement = find(number)
        announcement.write(f"{done}{f': {reason}' if reason else ''}", by=by)
        audit.record(
            f"announcement.{verb}",
            by=by,
            reason=reason,
            target=announcement,
            before={"state": before},
            after={"state": announcement.state},
        )
        if pull and Dispatch.objects.of_announcement(number).update(available_at=Now()):
            transaction.on_commit(lambda: nudge(using), using=using, robust=True)
    announcement_states.look_again()
    return announcement
