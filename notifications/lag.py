"""Lag: how long an event took from one stage to the next, at one consumer.

    commit → published → received → done

All by the database's clock. A service consumer's inbox row is written when its work commits, so
between its receipt and its end there is only what took more than one attempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from notifications.completeness import Facts
from notifications.durations import words


@dataclass(frozen=True)
class Lag:
    """Seconds; None where a stage was not reached, or is not known.

    published: from the event's record to SNS's answer. received: from there to the consumer's
    first row. done: from there to its last. total: from the record to the end.
    """

    consumer: str
    published: float | None
    received: float | None
    done: float | None
    total: float | None

    @property
    def words(self) -> str:
        stages = {"published": self.published, "received": self.received, "done": self.done}
        said = [f"{stage} +{words(span)}" for stage, span in stages.items() if span is not None]
        whole = f", {words(self.total)} in all" if self.total is not None else ""
        return f"{self.consumer}: {' → '.join(said) or 'nothing yet'}{whole}"


def of_event(facts: Facts) -> Iterator[Lag]:
    """One for each consumer expected, in order of name."""
    recorded = facts.event.recorded_at
    for name in sorted(facts.event.expected):
        published = facts.published_to(name)
        received, done = _moments(name, facts)
        yield Lag(
            name,
            published=_between(recorded, published),
            received=_between(published, received),
            done=_between(received, done),
            total=_between(recorded, done),
        )


def _moments(name: str, facts: Facts) -> tuple[datetime | None, datetime | None]:
    """When it was first at the event, and when it was done with it."""
    if tally := facts.tally(name):
        return tally.started, None if tally.open else tally.done
    if row := facts.handled.get(name):
        return row.received_at, row.done_at
    return None, None


def _between(earlier: datetime | None, later: datetime | None) -> float | None:
    return None if earlier is None or later is None else (later - earlier).total_seconds()
