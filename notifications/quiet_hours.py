"""Quiet hours: at night nobody is disturbed, where "night" is the recipient's.

    NOTIFICATIONS["QUIET_HOURS"] = {"sms": QuietHours("21:00", "08:00")}

What comes then is not lost and costs no attempt: its delivery waits, pending, with the moment at
which the quiet hours are over, and a dispatch brings its event to the consumer's queue then. So
everything is decided again: what is no longer true in the morning is not told.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import router, transaction
from django.utils import timezone

from notifications import wall_clock
from notifications.conf import QuietHours, conf
from notifications.duties import Duty
from notifications.models import Delivery, Dispatch
from notifications.models.wait import QUIET_HOURS as REASON
from notifications.models.wait import put_off, waits
from notifications.recipients import Recipient
from notifications.refusals import refusal

__all__ = ["REASON", "ending", "hold_back", "over_at"]


def hold_back(duty: Duty) -> bool:
    """Whether the delivery waits for the end of its recipient's quiet hours: its message is done.

    Costs no statement outside of them.
    """
    until = _until(duty)
    if until is None or _is_insisted_on(duty):
        return False
    using = router.db_for_write(Delivery)
    request = duty.request()
    with transaction.atomic(using=using):
        if put_off(request, until=until, reason=REASON, using=using) is None:
            return waits(request, reason=REASON, using=using)
        Dispatch.objects.using(using).postpone_once(
            duty.envelope,
            queue=duty.queue or duty.channel,
            until=until,
            reason=Dispatch.Reason.QUIET_HOURS,
        )
    return True


def over_at(
    hours: QuietHours, zone: ZoneInfo, now: datetime, *, delay: timedelta = timedelta()
) -> datetime | None:
    """When the quiet hours are over in which `now` lies, in UTC; None outside of them.

    They are `delay` longer than it is said: each person's own share of the spread. Whoever is told
    of two things is so told of both at that moment, and not of the later one first.
    """
    begin, end = wall_clock.time_of_day(hours.begin), wall_clock.time_of_day(hours.end)
    for moment in (now, now - delay):
        if wall_clock.is_between(moment, begin, end, zone):
            return wall_clock.next_at(moment, end, zone) + delay
    return None


def ending(recipient: Recipient, channel: str, moment: datetime) -> datetime | None:
    """When these quiet hours of theirs are over in which `moment` lies; None outside of them."""
    hours = conf().quiet_hours.get(channel)
    if hours is None:
        return None
    zone = wall_clock.zone_of(recipient.time_zone)
    return over_at(hours, zone, moment, delay=delay_of(recipient.who, hours))


def delay_of(person: str, hours: QuietHours) -> timedelta:
    """This person's share of the spread, the same every morning."""
    digest = hashlib.sha256(person.encode()).digest()
    share = int.from_bytes(digest[:8]) / 2**64
    return timedelta(seconds=int(share * hours.spread * 60))


def _until(duty: Duty) -> datetime | None:
    """None also for whom nothing will be sent to: that is to be on record at once. And for what
    must be told (`Category.transactional`) and would be too late in the morning."""
    recipient, kind = duty.recipient, duty.envelope.event_type
    if kind.urgent or recipient.opted_out or not recipient.address:
        return None
    until = ending(recipient, duty.channel, timezone.now())
    if until is None or refusal(kind, recipient, duty.channel):
        return None
    if duty.route.rule:  # its steps come one after another in the morning, as they would by day
        until += duty.route.step * duty.route.rule.share
        until = ending(recipient, duty.channel, until) or until  # a time for each may take a day
    category = conf().categories.get(kind.category)
    too_late = until - duty.envelope.time > kind.worth_sending_for
    return None if too_late and category and category.transactional else until


def _is_insisted_on(duty: Duty) -> bool:
    """Whether an operator has had it resent, whatever speaks against it."""
    if not duty.envelope.generation:
        return False
    return Delivery.objects.insisted_on(duty.request())
