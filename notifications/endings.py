"""Endings: what became of a message that a job has put on a queue, as the rows tell it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from notifications import topology
from notifications.models import DeadLetter, Delivery, Dispatch, Event, Handled, JobItem, wait
from notifications.models.lane import KEPT_BY_SQS
from notifications.work import Outcome

AT_ONCE = 500
"""Items looked at in one go."""

LOST = (
    "its message is lost, maybe with its queue: nothing was heard of it, and no queue keeps one "
    f"for longer than {KEPT_BY_SQS.days} days"
)
"""Why an item is refused that has no event: of others `replay --messages-lost` makes a new one."""


@dataclass(frozen=True)
class Told:
    """One delivery of the item's event over its consumer's channel: failed, or in no last state."""

    state: str
    reason: str = ""
    next_try_at: datetime | None = None
    error: str = ""

    @property
    def is_under_way(self) -> bool:
        """What waits for its recipient (a limit, the night) does so by itself, for hours maybe."""
        if self.state == Delivery.State.UNKNOWN:
            return self.next_try_at is not None
        return self.state in Delivery.OPEN and self.reason not in wait.WORDS


@dataclass(frozen=True)
class Facts:
    """What is known of one item. inbox: outcome, generation and error of its consumer's row.

    again: why it became a dead letter once more, if it did. lost: no message of it can be left.
    """

    generation: int
    inbox: tuple[str, int, str] | None = None
    deliveries: Sequence[Told] = ()
    again: str | None = None
    lost: bool = False


def ending(facts: Facts) -> tuple[JobItem.Outcome, str] | None:
    """Done, failed again or refused after all, and why; None while it is under way."""
    if facts.again is not None:
        return Outcome.FAILED, facts.again
    outcome, generation, error = facts.inbox or (Handled.Outcome.OPEN, 0, "")
    if outcome == Handled.Outcome.FAILED and generation >= facts.generation:
        return Outcome.FAILED, error
    for delivery in facts.deliveries:
        if delivery.state == Delivery.State.FAILED:
            return Outcome.FAILED, delivery.error or delivery.reason
    if any(delivery.is_under_way for delivery in facts.deliveries):
        return None
    if outcome == Handled.Outcome.DONE:
        return Outcome.DONE, ""
    return (Outcome.REFUSED, LOST) if facts.lost else None


def endings(
    under_way: QuerySet[JobItem],
) -> Iterator[tuple[JobItem, JobItem.Outcome, str]]:
    """Those of these items that have ended, and how."""
    items = list(under_way)
    for start in range(0, len(items), AT_ONCE):
        some = items[start : start + AT_ONCE]
        known = _Known(some)
        for item in some:
            if ended := ending(known.facts(item)):
                yield item, *ended


class _Known:
    """The rows about some items, read in a query for each table."""

    def __init__(self, items: Sequence[JobItem]) -> None:
        self.long_ago = timezone.now() - KEPT_BY_SQS
        events = {item.event_id for item in items if item.event_id}
        self.recorded = set(Event.objects.filter(pk__in=events).values_list("pk", flat=True))
        self.inbox = {
            (row.consumer, row.event_id): (row.outcome, row.generation, row.last_error)
            for row in Handled.objects.filter(event_id__in=events)
        }
        self.deliveries: dict[tuple[str, UUID], list[Told]] = defaultdict(list)
        not_well = Delivery.objects.filter(
            event_id__in=events, state__in=[Delivery.State.FAILED, *Delivery.OPEN]
        )
        for delivery in not_well:  # not the thousands that were told of one announcement
            self.deliveries[delivery.channel, delivery.event_id].append(
                Told(delivery.state, delivery.reason, delivery.next_try_at, delivery.last_error)
            )
        self.letters: dict[UUID | None, list[DeadLetter]] = defaultdict(list)
        for letter in DeadLetter.objects.filter(event_id__in=events).defer("body", "attributes"):
            self.letters[letter.event_id].append(letter)
        self._read_messages(items)

    def _read_messages(self, items: Sequence[JobItem]) -> None:
        """SQS's ids of what was dispatched, and which of these are dead letters."""
        dispatches = Dispatch.objects.filter(pk__in=[item.dispatch_id for item in items])
        self.message_ids = dict(dispatches.exclude(message_id="").values_list("pk", "message_id"))
        long_since = Q(state=Dispatch.State.PUBLISHED, published_at__lt=self.long_ago)
        lately = dispatches.exclude(long_since)
        self.on_the_way = set(lately.values_list("pk", flat=True))
        queues = [queue.name for queue in topology.current().queues]
        buried = DeadLetter.objects.filter(
            queue__in=queues, message_id__in=self.message_ids.values()
        )
        self.by_message = dict(buried.values_list("message_id", "error"))

    def facts(self, item: JobItem) -> Facts:
        key: Any = (item.consumer, item.event_id)
        return Facts(
            generation=item.generation,
            inbox=self.inbox.get(key),
            deliveries=self.deliveries.get(key, ()),
            again=self._again(item),
            lost=self._is_lost(item),
        )

    def _is_lost(self, item: JobItem) -> bool:
        """Of what has no event, there is no message but the one that was dispatched."""
        if item.event_id in self.recorded or item.dispatch_id in self.on_the_way:
            return False
        return item.moved_at is not None and item.moved_at < self.long_ago

    def _again(self, item: JobItem) -> str | None:
        """By its message's id; where it was put off, and so has another, by its event's."""
        message = self.message_ids.get(item.dispatch_id or 0, "")
        if message in self.by_message:
            return self.by_message[message]
        for letter in self.letters.get(item.event_id, ()):
            later = letter.pk > (item.dead_letter_id or 0) and letter.generation >= item.generation
            if item.generation and later and _consumer_of(letter.queue) == item.consumer:
                return letter.error or letter.reason
        return None


def _consumer_of(queue: str) -> str:
    return next((each.consumer for each in topology.current().queues if each.name == queue), "")
