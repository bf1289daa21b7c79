"""Reputation: how much of what is sent bounces or is complained about, before its provider asks.

A provider that finds too much of it stops the whole account, and takes days to be persuaded. So a
channel stops itself sooner, by a pause like an operator's, and stays so until an operator has
looked: what was wrong (a bought list, a form that robots fill in) does not mend itself.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Q
from django.utils import timezone

from notifications import pauses
from notifications.conf import Reputation, conf
from notifications.models import Delivery, Pause, Receipt

BY = "reputation"
"""Who pauses."""

LOOK_EVERY = 60.0
"""Seconds."""

NOT_COUNTED = "OnAccountSuppressionList"
"""The end of SES's code for what it knew would bounce and never sent. SES does not count it either.
(Amazon SES Developer Guide, "Using the account-level suppression list".)"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cases:
    """Of what a channel was sent through one provider since a moment, so many came back hard or
    soft, or were complained about: each message once for each. provider: "" for all of them."""

    channel: str
    provider: str
    since: datetime
    bounces: int
    soft_bounces: int
    complaints: int

    def sends(self, *, most: int | None = None) -> int:
        """Of how many, counted up to `most`. By when a delivery began, as the cases are."""
        sent = Delivery.objects.filter(
            channel=self.channel, created_at__gt=self.since, sent_at__isnull=False
        )
        through = sent.filter(provider=self.provider) if self.provider else sent
        rows = through.order_by().values("pk")
        return rows.count() if most is None else rows[:most].count()

    @property
    def bounce_rate(self) -> float | None:
        """Hard bounces of one message sent; None of too few. What is less than a tenth of the bound
        is told as that at most: no more messages are counted than that takes."""
        return self._rate(self.bounces, conf().reputation.bounce_rate)

    @property
    def complaint_rate(self) -> float | None:
        """The same of complaints."""
        return self._rate(self.complaints, conf().reputation.complaint_rate)

    def _rate(self, cases: int, allowed: float) -> float | None:
        least = conf().reputation.least_sends
        sent = self.sends(most=max(math.ceil(10 * cases / allowed), least))
        return cases / sent if sent >= least else None


def too_many(name: str, cases: int, rate: float, sends: Callable[[int], int]) -> str:
    """Why this is too much, in words; "" if it is not, or too little to say.

    sends(n): how many were sent, counted up to n: no more are looked at than it takes to know.
    """
    bounds = conf().reputation
    if cases < bounds.least_cases:
        return ""
    most = max(math.ceil(cases / rate), bounds.least_sends)
    sent = sends(most)
    if sent < bounds.least_sends or cases <= rate * sent:
        return ""
    return f"{cases} {name} of {sent} sent ({cases / sent:.2%}; {rate:.2%} at most)"


def verdict(found: Cases) -> str:
    """Why the channel is to be stopped; "" if it is not."""
    bounds: Reputation = conf().reputation

    def sends(most: int) -> int:
        return found.sends(most=most)

    said = too_many("hard bounces", found.bounces, bounds.bounce_rate, sends)
    return said or too_many("complaints", found.complaints, bounds.complaint_rate, sends)


def watch(*, using: str, go_on: Callable[[], bool]) -> int:
    """A relay's chore: pause each channel of which too much came back. How many that were.

    Of two relays at once the second finds it paused already.
    """
    stopped = 0
    for channel in pauses.names(Pause.Kind.CHANNEL):
        if not go_on():
            break
        if _is_paused(channel):
            continue
        for found in cases(channel):
            if why := verdict(found):
                stopped += _stop(found, why)
                break
    return stopped


def cases(channel: str) -> Iterator[Cases]:
    """What came back of the channel's messages within the window, by provider, most first.

    Since the last time that an operator has let the channel go on, at most: what came before was
    known to them. Reads the bounces and complaints alone, by their index.
    """
    since = counted_since(channel)
    kinds = Receipt.Kind
    came_back = Receipt.objects.filter(
        kind__in=[kinds.BOUNCED.value, kinds.SOFT_BOUNCED.value, kinds.COMPLAINED.value],
        received_at__gt=since,
        delivery__channel=channel,
        delivery__created_at__gt=since,
    ).exclude(code__endswith=NOT_COUNTED)
    counted = (
        came_back.order_by()
        .values("delivery__provider")
        .annotate(
            bounces=_of_them(kinds.BOUNCED),
            soft_bounces=_of_them(kinds.SOFT_BOUNCED),
            complaints=_of_them(kinds.COMPLAINED),
        )
        .order_by("-bounces", "-complaints", "delivery__provider")
    )
    for row in counted:
        yield Cases(
            channel,
            row["delivery__provider"] or "",
            since,
            row["bounces"],
            row["soft_bounces"],
            row["complaints"],
        )


def counted_since(channel: str) -> datetime:
    """The beginning of the window, or of what an operator has let go on since."""
    begins = timezone.now() - timedelta(hours=conf().reputation.window_hours)
    resumed: datetime | None = Pause.objects.filter(
        kind=Pause.Kind.CHANNEL, name=channel, paused_by=BY
    ).aggregate(at=Max("resumed_at"))["at"]
    return max(begins, resumed) if resumed else begins


def _of_them(kind: Receipt.Kind) -> Count:
    return Count("delivery_id", filter=Q(kind=kind.value), distinct=True)


def _is_paused(channel: str) -> bool:
    return Pause.objects.in_force().filter(kind=Pause.Kind.CHANNEL, name=channel).exists()


def _stop(found: Cases, why: str) -> bool:
    through = f" through {found.provider}" if found.provider else ""
    stopped = pauses.pause(Pause.Kind.CHANNEL, found.channel, by=BY, reason=f"{why}{through}")
    if stopped:
        logger.warning(
            "%s is paused: %s%s. Find out why, then: manage.py queues resume --channel %s",
            found.channel,
            why,
            through,
            found.channel,
        )
    return stopped
