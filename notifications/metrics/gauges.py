"""Gauges: what each of the fleet's metrics is now."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count
from django.utils import timezone

from notifications import (
    depths,
    objectives,
    pace,
    progress,
    queue_counts,
    rate_limits,
    reputation,
    schedule,
)
from notifications.burn import WINDOWS
from notifications.conf import conf
from notifications.lookout import SPAN
from notifications.metrics import table
from notifications.metrics.counting import OTHER
from notifications.metrics.table import Metric
from notifications.models import Breaker, Delivery, ScheduledEvent
from notifications.queue_overview import overview
from notifications.topology import Role

FORESEEN = queue_counts.TROUBLE
"""What SQS may say, which needs no traceback."""

QUANTILES = ("0.5", "0.95")

SQS_PATIENCE = 2.0
"""Seconds."""

KEPT = timedelta(minutes=1)
"""For which SQS's last word is told while it takes long, or is away."""

_granted: dict[str, tuple[int, float]] = {}
"""Of each account, units granted in all, and when that was read (monotonic seconds)."""


@dataclass(frozen=True)
class Reading:
    """One gauge's value for one set of labels, in the order of the table."""

    metric: Metric
    labels: tuple[str, ...]
    value: float

    @property
    def labelled(self) -> dict[str, str]:
        return dict(zip(self.metric.labels, self.labels, strict=True))


Part = Callable[[], Iterator[Reading]]


def of_sqs() -> Iterator[Reading]:
    """What lies on the queues. Raises what kept SQS from telling all, after what it has told."""
    told = depths.look(patience=SQS_PATIENCE)
    if told.at and timezone.now() - told.at < KEPT:
        for queue, counts in told.found.counts.items():
            for state in ("visible", "in_flight", "delayed"):
                yield Reading(table.QUEUE_MESSAGES, (queue, state), getattr(counts, state))
    if told.found.error:
        raise told.found.error
    if told.stale or told.at is None:
        raise TimeoutError("SQS takes long to answer")


def of_queues() -> Iterator[Reading]:
    """Who serves each queue, how old what lies there is, and what was given up."""
    now = timezone.now()
    for row in overview(SPAN, found=depths.look(patience=0.0).found, rates={}).rows:
        name = row.queue.name
        if row.queue.role is Role.MAIN:
            letters = row.open_letters + (row.letters_in_sqs or 0)
            yield Reading(table.DEAD_LETTERS_OPEN, (row.consumer.name,), letters)
        if row.queue.role.is_grave:
            continue
        if row.oldest is not None:
            yield Reading(table.QUEUE_OLDEST_AGE, (name,), _age(row.oldest.at, now))
        yield Reading(table.WORKERS, (name,), len(row.servers))
        polls = [each.last_poll for each in row.servers if each.last_poll is not None]
        if polls:
            yield Reading(table.LAST_POLL_AGE, (name,), min(polls))


def of_lag() -> Iterator[Reading]:
    for consumer, stages in pace.stages(progress.known(), SPAN).items():
        for stage, quantiles in stages.items():
            for quantile, seconds in zip(QUANTILES, quantiles, strict=True):
                yield Reading(table.LAG, (consumer, stage, quantile), max(0.0, seconds))


def of_dispatches() -> Iterator[Reading]:
    age = _age(schedule.oldest_due(), timezone.now())
    yield Reading(table.DISPATCH_AGE, (), age)


def of_schedule() -> Iterator[Reading]:
    yield Reading(table.SCHEDULED_REFUSED, (), ScheduledEvent.objects.refused().count())


def of_accounts() -> Iterator[Reading]:
    """How far limits are used, since the look before this one, and which breakers are open."""
    open_ones = set(
        Breaker.objects.filter(state=Breaker.State.OPEN).values_list("account", flat=True)
    )
    for each in rate_limits.standings():
        now = time.monotonic()
        before, since = _granted.get(each.account, (each.granted, now))
        _granted[each.account] = each.granted, now
        if each.effective and now > since:
            used = (each.granted - before) / (now - since) / each.effective
            yield Reading(table.LIMIT_USED, (each.account,), max(0.0, used))
        yield Reading(table.BREAKER_OPEN, (each.account,), float(each.account in open_ones))


def of_unknown() -> Iterator[Reading]:
    unknown = Delivery.objects.filter(state=Delivery.State.UNKNOWN, next_try_at=None)
    as_its_index = unknown.exclude(state__in=["sent", "delivered", "skipped"]).order_by()
    counted = dict(as_its_index.values_list("channel").annotate(Count("pk")))
    for channel in conf().channels:
        yield Reading(table.UNKNOWN_OUTCOMES, (channel,), counted.get(channel, 0))


def of_bounces() -> Iterator[Reading]:
    for channel in conf().channels:
        for found in reputation.cases(channel):
            if (ratio := found.bounce_rate) is not None:
                provider = found.provider or OTHER  # CloudWatch refuses an empty label
                yield Reading(table.BOUNCE_RATIO, (channel, provider), ratio)


def of_objectives() -> Iterator[Reading]:
    """The burn of each window in which something was due, and whether to wake somebody for it."""
    for standing in objectives.standings():
        for window in WINDOWS:
            if (ratio := standing.burn(window)) is not None:
                yield Reading(table.OBJECTIVE_BURN, (standing.event_type, window), ratio)
        yield Reading(table.OBJECTIVE_FAST, (standing.event_type,), float(standing.is_fast))


PARTS: tuple[Part, ...] = (
    *(of_sqs, of_queues, of_lag, of_dispatches, of_schedule, of_accounts, of_unknown, of_bounces),
    of_objectives,
)


def name_of(part: Part) -> str:
    return part.__name__.removeprefix("of_")


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
