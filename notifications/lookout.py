"""Lookout: what an operator looks at first, whatever brought them: who needs them, how each
consumer does, what was done and what failed. What each figure means: docs/console/overview.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifications import burn, depths, needs, objectives, schedule, throughput
from notifications.consumers import Consumer
from notifications.depths import Depths
from notifications.models import DeadLetter, Delivery, Handled
from notifications.models.throughput import Counts
from notifications.needs import Need
from notifications.queue_overview import Overview, Row, overview
from notifications.throughput import DAY, HOUR, Series, Standing

SPAN = timedelta(minutes=15)
"""Of which lag and rate are told."""

MOST_TRYING = 1000
"""Of what is being tried again now is counted, over all consumers."""


@dataclass(frozen=True)
class Lookout:
    """at: when our tables were read. depths: what SQS said, and when. queues: each queue. hour,
    day: by consumer. letters: open dead letters by the queue they were on. trying: how many are
    between two tries now, by consumer. outbox: since when the oldest message that is due waits to
    be published; None: there is none. minutes: how far the relays have added them up.
    standings: of each objective.
    """

    at: datetime
    needs: list[Need]
    depths: Depths
    queues: Overview
    hour: Mapping[str, Counts]
    day: Mapping[str, Counts]
    letters: Mapping[str, int]
    trying: Mapping[str, int]
    outbox: datetime | None
    minutes: Standing
    standings: list[burn.Standing]

    def of_hour(self, row: Row) -> Counts:
        return self.hour.get(row.consumer.name, Counts())


def look(*, patience: float = depths.PATIENCE) -> Lookout:
    """All of it, in some twenty statements, however many consumers and rows there are.

    Waits `patience` seconds for SQS, and does without it then. Raises what the database does.
    """
    told = depths.look(patience=patience)
    minutes = throughput.standing()
    standings = objectives.standings(at=minutes)
    queues = overview(SPAN, found=told.found, rates=throughput.rates(SPAN, at=minutes))
    return Lookout(
        at=queues.at,
        needs=needs.now(relays=minutes, told=standings),
        depths=told,
        queues=queues,
        hour=throughput.by_consumer(HOUR, at=minutes),
        day=throughput.by_consumer(DAY, at=minutes),
        letters=DeadLetter.objects.open_by_queue(),
        trying=_trying({row.consumer.name: row.consumer for row in queues.rows}),
        outbox=schedule.oldest_due(),
        minutes=minutes,
        standings=standings,
    )


def charts(consumer: str = "", *, at: Standing | None = None) -> tuple[Series, Series]:
    """The last hour and the last day; of one consumer, or of all."""
    at = at or throughput.standing()
    return throughput.last_hour(consumer, at=at), throughput.last_day(consumer, at=at)


def _trying(consumers: Mapping[str, Consumer]) -> dict[str, int]:
    """The deliveries, and the events of services, that have failed for now and are tried again."""
    names = {each.channel: name for name, each in consumers.items() if each.channel}
    channels = Delivery.objects.filter(state=Delivery.State.RETRYING).values_list("channel")
    handled = Handled.objects.filter(outcome=Handled.Outcome.OPEN, attempts__gt=0)
    found: dict[str, int] = {}
    for (channel,) in channels.order_by("created_at")[:MOST_TRYING]:
        name = names.get(channel, channel)
        found[name] = found.get(name, 0) + 1
    for (name,) in handled.order_by("id").values_list("consumer")[:MOST_TRYING]:
        found[name] = found.get(name, 0) + 1
    return found
