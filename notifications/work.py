"""Work: what a kind of job does to each of its items, and what becomes of one.

`Resend`, `Redrive`, `Replay`, `Drop` and the discards are each a `Work`; `notifications.jobs` runs
them, `notifications.undertakings` lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.db.models import QuerySet

from notifications.models import Dispatch, Job, JobItem

Filter = Mapping[str, Any]
Outcome = JobItem.Outcome


@dataclass(frozen=True)
class Verdict:
    """What becomes of an item. DISPATCHED comes with what was ordered, DONE with nothing, for there
    is nothing to send; of the others `why` says why not."""

    outcome: JobItem.Outcome
    why: str = ""
    dispatch: Dispatch | None = None
    event_id: UUID | None = None
    consumer: str = ""
    generation: int = 0

    @property
    def is_yes(self) -> bool:
        return self.outcome in (Outcome.DISPATCHED, Outcome.DONE)


def refused(why: str) -> Verdict:
    return Verdict(Outcome.REFUSED, why)


def left_alone(why: str) -> Verdict:
    return Verdict(Outcome.LEFT_ALONE, why)


class Work(Protocol):
    """One kind of job. Everything is called in a transaction that holds the job's row."""

    kind: Job.Kind
    column: str
    """The item's column that names what it is about."""
    made_at: str
    """The column of that by which the oldest comes first."""

    def found(self, wanted: Filter) -> QuerySet[Any]:
        """What the filter means now."""

    def weigh(self, subject: Any, job: Job) -> Verdict:
        """What would become of it: DISPATCHED or DONE, or why not. Changes nothing."""

    def take(self, item: JobItem) -> Any:
        """What the item is about; None when it is there no more."""

    def order(self, subject: Any, job: Job, *, at: datetime) -> Verdict:
        """Do it: re-open what is to be done again and order its message, not before `at`."""

    def look(self, job: Job) -> str:
        """See what became of what is under way. Why the job must stop, if it must."""

    def may_begin(self, job: Job) -> bool:
        """Whether the next item may be begun, or something must end first."""

    def is_over(self, job: Job) -> bool:
        """Asked when no item waits: whether there is nothing to wait for either."""


class AtOnce:
    """Of a work none of whose items has to wait for what became of another."""

    def look(self, job: Job) -> str:
        return ""

    def may_begin(self, job: Job) -> bool:
        return True

    def is_over(self, job: Job) -> bool:
        return True
