"""Alarms: what somebody is woken for, as data (`notifications.aws.cloudformation` makes them).

Where SQS has a metric of its own it is taken: it is there also when every process of ours is dead.
What only we know (rows, lag) is of our own metrics, in CloudWatch's embedded format. Limits and
times are those of deploy/alerts.yml; where the two differ, and why: decision 0053.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from notifications import alarm_pages, consumers
from notifications.alarm_pages import Alarm as Kind
from notifications.alarm_pages import AlarmPage
from notifications.channels import adapters
from notifications.conf import conf
from notifications.consumers import Consumer
from notifications.metrics import table
from notifications.metrics.table import NAMESPACE, Metric
from notifications.topology import Queue, Role, Topology

SQS = "AWS/SQS"

OLD = 15 * 60
"""Seconds for which a fresh message may lie on its queue: many times what a full queue takes."""

BULK_OLD = 24 * 3600
"""The same of a bulk queue, where an announcement may take its time."""

LATE = 5 * 60
"""Seconds from commit to done, at the 95th percentile."""

WAITING = 60
"""Seconds for which an event may wait for its consumer: beyond, somebody waits for it."""

UNPUBLISHED = 60
"""Seconds for which something due may wait for a relay: it takes one where a relay lives."""

OF_THE_PAUSE = 0.5
"""Of the bounce rate that pauses a channel: in time to look before it does."""

MINUTE = 60

MISSING, FINE, BAD = "missing", "notBreaching", "breaching"
"""What no data says: nothing, that all is well, or that it is not."""


Dimensions: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values; a queue of SQS's by its physical name."""


@dataclass(frozen=True)
class OnlyWhile:
    """Another metric, of the same namespace, that is above `above` at the same time."""

    metric: str
    dimensions: Dimensions
    above: float


@dataclass(frozen=True)
class Alarm:
    """`metric` is above `threshold` in each of `periods` times of `period` seconds.

    name: without the prefix. what: a sentence. missing: what it means when there is no data.
    only_while: what must be so in each of these times, too. Without data of that it is not so.
    """

    name: str
    kind: Kind
    what: str
    namespace: str
    metric: str
    dimensions: Dimensions
    threshold: float
    statistic: str = "Maximum"
    period: int = MINUTE
    periods: int = 5
    missing: str = FINE
    only_while: OnlyWhile | None = None

    @property
    def page(self) -> AlarmPage:
        """Where it leads, and the runbook."""
        return alarm_pages.of(self.kind)

    @property
    def is_ours(self) -> bool:
        """Whether it is silent unless the processes export their metrics to CloudWatch."""
        return self.namespace == NAMESPACE


def alarms(layout: Topology) -> tuple[Alarm, ...]:
    """All of this topology, consumer by consumer, then those of all."""
    each = [queue for queue in layout.queues if queue.role is Role.MAIN]
    return (
        *(alarm for queue in each for alarm in _of_consumer(layout, queue)),
        _dispatch_age(layout),
        _scheduled_refused(layout),
        _metrics_missing(layout),
        *(_objective(layout, event_type) for event_type in sorted(conf().objectives)),
        *(
            alarm
            for consumer in consumers.all_consumers()
            if consumer.channel
            for alarm in _of_channel(layout, consumer.channel)
        ),
    )


def _of_consumer(layout: Topology, main: Queue) -> Iterator[Alarm]:
    consumer = consumers.get(main.consumer)
    for queue in layout.queues:
        if queue.consumer == main.consumer:
            yield _nobody_empties(queue) if queue.role.is_grave else _old(queue)
    yield _dead_letters(layout, consumer)
    if consumer.channel or consumer.keeps_inbox:  # of another nobody knows how far it is
        yield _event_old(layout, main)
        yield _lag(layout, main)


def _old(queue: Queue) -> Alarm:
    bulk = queue.role is Role.BULK
    threshold = BULK_OLD if bulk else OLD
    return Alarm(
        name=f"queue-old-{queue.name}",
        kind=Kind.QUEUE_AGE,
        what=f"A message lies on {queue.name} for more than {threshold // 60} minutes.",
        namespace=SQS,
        metric="ApproximateAgeOfOldestMessage",
        dimensions=(("QueueName", queue.physical),),
        threshold=threshold,
    )


def _nobody_empties(queue: Queue) -> Alarm:
    """The relays bring what comes here into rows: what stays says that none does."""
    return Alarm(
        name=f"nobody-empties-{queue.name}",
        kind=Kind.DEAD_LETTERS,
        what=f"Dead letters stay on {queue.name} for a quarter of an hour: no relay keeps them.",
        namespace=SQS,
        metric="ApproximateNumberOfMessagesVisible",
        dimensions=(("QueueName", queue.physical),),
        threshold=0,
        statistic="Minimum",
        period=5 * MINUTE,
        periods=3,
    )


def _dead_letters(layout: Topology, consumer: Consumer) -> Alarm:
    return Alarm(
        name=f"dead-letters-{consumer.name}",
        kind=Kind.DEAD_LETTERS,
        what=f"Dead letters of {consumer.name} wait for a person, in SQS or in rows.",
        **_ours(table.DEAD_LETTERS_OPEN, layout, consumer=consumer.name),
        threshold=0,
        missing=MISSING,
    )


def _event_old(layout: Topology, main: Queue) -> Alarm:
    """SQS leaves out of a queue's age what was received three times and more, as what is tried
    again is, and knows nothing of an event whose message is gone."""
    return Alarm(
        name=f"event-old-{main.consumer}",
        kind=Kind.QUEUE_AGE,
        what=f"An event waits for {main.consumer} for more than {OLD // 60} minutes.",
        **_ours(table.QUEUE_OLDEST_AGE, layout, queue=main.name),
        threshold=OLD,
    )


def _lag(layout: Topology, main: Queue) -> Alarm:
    """What an outage has left behind raises the figure when it is worked off, and for a quarter of
    an hour after that: then nobody waits any more."""
    name, oldest = main.consumer, table.QUEUE_OLDEST_AGE
    return Alarm(
        name=f"lag-{name}",
        kind=Kind.LAG,
        what=f"Of the latest events, 5 % took {name} more than {LATE // 60} minutes; others wait.",
        **_ours(table.LAG, layout, consumer=name, stage="total", quantile="0.95"),
        threshold=LATE,
        periods=10,
        only_while=OnlyWhile(oldest.name, _dimensions(oldest, layout, queue=main.name), WAITING),
    )


def _dispatch_age(layout: Topology) -> Alarm:
    return Alarm(
        name="dispatch-age",
        kind=Kind.DISPATCH_AGE,
        what=f"What is due waits for a relay for more than {UNPUBLISHED} seconds.",
        **_ours(table.DISPATCH_AGE, layout),
        threshold=UNPUBLISHED,
        periods=2,
    )


def _scheduled_refused(layout: Topology) -> Alarm:
    return Alarm(
        name="scheduled-refused",
        kind=Kind.SCHEDULED_REFUSED,
        what="Scheduled events could not be recorded when they were due: they wait for a person.",
        **_ours(table.SCHEDULED_REFUSED, layout),
        threshold=0,
        missing=MISSING,
    )


def _metrics_missing(layout: Topology) -> Alarm:
    """Told every minute by one of the relays, of all parts: silence is as bad."""
    return Alarm(
        name="metrics-missing",
        kind=Kind.METRICS_MISSING,
        what="How the fleet does is not told, or not all of it: no relay may be at work.",
        namespace=NAMESPACE,
        metric=table.SCRAPE_ERRORS.name,
        dimensions=_environment(layout),
        threshold=0,
        missing=BAD,
    )


def _objective(layout: Topology, event_type: str) -> Alarm:
    return Alarm(
        name=f"objective-{event_type}",
        kind=Kind.OBJECTIVE_BURN,
        what=f"{event_type} uses up what its objective allows so quickly that it will not last.",
        **_ours(table.OBJECTIVE_FAST, layout, event_type=event_type),
        threshold=0,
        periods=1,
    )


def _of_channel(layout: Topology, channel: str) -> Iterator[Alarm]:
    yield Alarm(
        name=f"unknown-{channel}",
        kind=Kind.UNKNOWN_OUTCOMES,
        what=f"Nobody knows whether messages by {channel} were sent: a person must settle them.",
        **_ours(table.UNKNOWN_OUTCOMES, layout, channel=channel),
        threshold=0,
        periods=15,  # a receipt may still come
    )
    rate = conf().reputation.bounce_rate * OF_THE_PAUSE
    for provider in adapters.bouncing(channel):
        yield Alarm(
            name=f"bounces-{channel}-{provider}",
            kind=Kind.BOUNCE_RATE,
            what=f"More than {rate:.1%} of {channel} by {provider} bounces; twice that pauses it.",
            **_ours(table.BOUNCE_RATIO, layout, channel=channel, provider=provider),
            threshold=rate,
        )


def _ours(metric: Metric, layout: Topology, **labels: str) -> dict[str, Any]:
    dimensions = _dimensions(metric, layout, **labels)
    return {"namespace": NAMESPACE, "metric": metric.name, "dimensions": dimensions}


def _dimensions(metric: Metric, layout: Topology, **labels: str) -> Dimensions:
    return (*_environment(layout), *((name, labels[name]) for name in metric.labels))


def _environment(layout: Topology) -> Dimensions:
    """Alone: of all labels together, as each metric is told, too."""
    return (("environment", layout.prefix),)
