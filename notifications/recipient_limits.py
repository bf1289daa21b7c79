"""Recipient limits: one person is told so many things an hour over one channel, and no more.

    ChannelConf("…", recipient_limit="5/h")

What is beyond the limit is not lost and costs no attempt: its delivery waits, pending, with the
moment at which there is room, and a dispatch brings its event to the consumer's queue then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from django.core.exceptions import ImproperlyConfigured
from django.db import router, transaction

from notifications.conf import conf
from notifications.duties import Duty
from notifications.models import Delivery, Dispatch
from notifications.models.throttle import throttle
from notifications.models.wait import RECIPIENT_LIMIT as REASON

_WORDS = re.compile(r"([1-9]\d{0,8})/([mhd])\Z")
_WINDOWS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

__all__ = ["REASON", "RecipientLimit", "parse", "room"]


@dataclass(frozen=True)
class RecipientLimit:
    """At most `most` messages in any `window`."""

    most: int
    window: timedelta


@cache
def parse(words: str) -> RecipientLimit | None:
    """ "5/h": n per minute (m), hour (h) or day (d); "" is no limit. Or ImproperlyConfigured."""
    if not words:
        return None
    match = _WORDS.match(words)
    if match is None:
        raise ImproperlyConfigured(
            f"{words!r} is no limit for a recipient: give a number per minute, hour or day "
            '("2/m", "5/h", "20/d"), or "" for none.'
        )
    return RecipientLimit(int(match[1]), _WINDOWS[match[2]])


@contextmanager
def room(duty: Duty) -> Iterator[bool]:
    """Whether the recipient may be told now; the block is to claim the delivery then.

    If not, the delivery waits and its message is done. Where a limit is configured, the count
    and the claim are one transaction: of many workers that ask at once, no two are given the
    last place. Elsewhere this costs nothing.
    """
    limit = _limit(duty)
    if limit is None:
        yield True
        return
    using = router.db_for_write(Delivery)
    with transaction.atomic(using=using):
        throttled = throttle(duty.request(), most=limit.most, window=limit.window, using=using)
        if throttled and throttled.is_new:
            Dispatch.objects.using(using).postpone(
                duty.envelope,
                queue=duty.queue or duty.channel,
                until=throttled.until,
                reason=Dispatch.Reason.THROTTLED,
            )
        yield throttled is None


def _limit(duty: Duty) -> RecipientLimit | None:
    """None also for whom nothing will be sent to: that is to be on record at once."""
    recipient = duty.recipient
    if recipient.opted_out or recipient.unreachable or not recipient.address:
        return None
    described = conf().channels.get(duty.channel)
    return parse(described.recipient_limit) if described else None
