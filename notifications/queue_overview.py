"""Queue overview: of every queue and dead-letter queue what lies in it, who serves it, how quickly
it empties and what holds it. What each figure means and where it is from: docs/watching.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Min
from django.utils import timezone

from notifications import (
    consumers,
    keeper,
    pace,
    progress,
    providers,
    queue_counts,
    topology,
)
from notifications.aws.errors import AWS_ERRORS, explain
from notifications.aws.sqs import Counts
from notifications.consumers import Consumer
from notifications.models import Breaker, Delivery, Pause, WorkerProcess
from notifications.models.worker_process import SILENCE
from notifications.pace import NO_LAG, Lag
from notifications.progress import Oldest
from notifications.queue_counts import QueueCounts
from notifications.topology import Queue, Role

LONGEST_LOOK = 0.5
"""Seconds in which to find the oldest open events where no relay has told them of late."""

_ORDER = (Role.MAIN, Role.BULK, Role.DEAD_LETTERS, Role.UNDELIVERED)


@dataclass(frozen=True)
class Server:
    """A worker that receives from the queue. last_poll: seconds since its last receive began;
    held_by: why it does not, or empty."""

    name: str
    last_poll: float | None
    held_by: str


@dataclass(frozen=True)
class Row:
    """One queue.

    counts: None where SQS did not say. oldest: None where nobody can know. lag, rate: its
    consumer's. drains_in: seconds; None at a rate of nothing, and where nobody serves it.
    open_letters: of its consumer, here; letters_in_sqs: None where SQS did not say. pauses,
    breakers: what holds it, or, where its channel has several providers, keeps it from some.
    """

    queue: Queue
    consumer: Consumer
    counts: Counts | None = None
    oldest: Oldest | None = None
    lag: Lag = NO_LAG
    rate: float = 0.0
    drains_in: float | None = None
    open_letters: int = 0
    letters_in_sqs: int | None = None
    servers: tuple[Server, ...] = ()
    pauses: tuple[Pause, ...] = ()
    breakers: tuple[Breaker, ...] = ()


@dataclass(frozen=True)
class Overview:
    """at: when it was asked. trouble: why SQS did not tell all, in one line, or empty."""

    at: datetime
    span: timedelta
    rows: tuple[Row, ...]
    trouble: str = ""


def overview(
    span: timedelta,
    *,
    found: QueueCounts | None = None,
    rates: Mapping[str, float] | None = None,
) -> Overview:
    """span: of the last minutes from which lag and rate are told. found: what SQS has said already;
    it is asked if that is not given. rates: those of the consumers, if they are known: `pace.rates`
    reads every outcome of the time. Raises what the database does.
    """
    layout = topology.current()
    found = queue_counts.of(layout.queues) if found is None else found
    # After SQS: what is just being kept is counted twice, not never.
    open_letters = keeper.open_rows()
    queues = sorted(layout.queues, key=lambda queue: (queue.consumer, _ORDER.index(queue.role)))
    by_consumer = _by_consumer({queue.consumer for queue in queues}, span)
    if rates is None:
        rates = pace.rates([row.consumer for row in by_consumer.values()], span)
    context = _Context(
        found.counts,
        open_letters,
        rates,
        _reopened(),
        _servers(),
        tuple(Pause.objects.in_force()),
        {each.account: each for each in Breaker.objects.filter(state=Breaker.State.OPEN)},
    )
    rows = tuple(context.row(queue, by_consumer[queue.consumer]) for queue in queues)
    return Overview(timezone.now(), span, rows, _words(found.error) if found.error else "")


@dataclass(frozen=True)
class _Context:
    """What was asked once, for all rows."""

    counts: Mapping[str, Counts]
    open_letters: Mapping[str, int]
    rates: Mapping[str, float]
    reopened: Mapping[str, datetime]
    servers: Mapping[str, tuple[Server, ...]]
    pauses: tuple[Pause, ...]
    breakers: Mapping[str, Breaker]

    def row(self, queue: Queue, row: Row) -> Row:
        row = replace(row, queue=queue, counts=self.counts.get(queue.name))
        if queue.role in (Role.MAIN, Role.DEAD_LETTERS):
            row = self._with_letters(row)
        if queue.role.is_grave:
            return replace(row, oldest=None, lag=NO_LAG)
        if queue.role is Role.BULK:
            since = self.reopened.get(row.consumer.channel)
            row = replace(row, oldest=Oldest(since) if row.consumer.channel else None)
        rate = self.rates.get(queue.consumer, 0.0)
        accounts = providers.accounts_of(row.consumer)
        held = {(Pause.Kind.QUEUE, queue.name), (Pause.Kind.CHANNEL, row.consumer.channel)}
        held |= {(Pause.Kind.PROVIDER, account) for account in accounts}
        servers = self.servers.get(queue.name, ())
        return replace(
            row,
            rate=rate,
            drains_in=self._drains_in(row, rate if servers else 0.0),
            servers=servers,
            pauses=tuple(each for each in self.pauses if (each.kind, each.name) in held),
            breakers=tuple(
                self.breakers[account] for account in accounts if account in self.breakers
            ),
        )

    def _with_letters(self, row: Row) -> Row:
        in_sqs = [
            self.counts.get(grave.name)
            for grave in keeper.graves()
            if grave.consumer == row.consumer.name
        ]
        return replace(
            row,
            open_letters=self.open_letters.get(row.consumer.name, 0),
            letters_in_sqs=None if None in in_sqs else sum(each.total for each in in_sqs if each),
        )

    def _drains_in(self, row: Row, rate: float) -> float | None:
        """A bulk queue comes after the one before it."""
        if row.counts is None:
            return None
        ahead = row.counts.total
        if row.queue.role is Role.BULK and (first := self.counts.get(row.consumer.name)):
            ahead += first.total
        if not row.counts.total:
            return 0.0
        return ahead / rate if rate else None


def _by_consumer(names: Iterable[str], span: timedelta) -> dict[str, Row]:
    """Of one whose reports nobody keeps there is neither an oldest nor a lag."""
    asked = {name: consumers.get(name) for name in names}
    known = [each for each in progress.known() if each.name in asked]
    oldest = progress.told(known, go_on=progress.for_seconds(LONGEST_LOOK))
    lags = pace.lags(known, span)
    layout = topology.current()
    return {
        name: Row(layout.queue(name), each, oldest=oldest.get(name), lag=lags.get(name, NO_LAG))
        for name, each in asked.items()
    }


def _reopened() -> dict[str, datetime]:
    """Since when the oldest delivery that was re-opened is open, by channel: it is a bulk queue's.
    One that a person has to look up waits for no queue."""
    still = Delivery.objects.exclude(state__in=["sent", "delivered", "skipped"])  # as its index
    mended = still.filter(state__in=Delivery.OPEN, generation__gt=0)
    late = mended.exclude(state=Delivery.State.UNKNOWN, next_try_at=None).order_by()
    return dict(late.values_list("channel").annotate(Min("updated_at")))


def _servers() -> dict[str, tuple[Server, ...]]:
    """The workers that live, by the queue that they receive from."""
    found: dict[str, tuple[Server, ...]] = {}
    for worker in WorkerProcess.objects.of_late():
        silent: timedelta = vars(worker)["silent_for"]
        if silent > SILENCE:
            continue
        for queue in worker.queues:
            at_beat = queue["last_poll"]
            age = None if at_beat is None else at_beat + max(0.0, silent.total_seconds())
            server = Server(worker.name, age, queue["held_by"])
            found[queue["name"]] = (*found.get(queue["name"], ()), server)
    return found


def _words(error: Exception) -> str:
    return explain(error) if isinstance(error, AWS_ERRORS) else str(error)
