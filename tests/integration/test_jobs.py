"""Jobs: what one item is, when a process dies in it, and when two are at it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection

from notifications import jobs
from notifications.models import Delivery, Dispatch, Job, JobItem
from notifications.resend import Resend
from notifications.work import Verdict
from tests.integration.operator_rows import EMAIL
from tests.integration.test_resend import begun, message, sent, tell
from tests.integration.together import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("town")]


class Death(BaseException):
    """The process dies just here."""


class DyingResend(Resend):
    """dies: at the end of an item's work, or before it."""

    def __init__(self, dies: Callable[[], bool]) -> None:
        self.dies = dies

    def order(self, delivery: Delivery, job: Job, *, at: datetime) -> Verdict:
        verdict = super().order(delivery, job, at=at)
        if self.dies():
            raise Death
        return verdict


def test_an_item_is_done_whole_or_not_at_all() -> None:
    for _ in range(3):
        sent()
    job = begun()
    dies = iter([False, True])
    with pytest.raises(Death):
        jobs.run(DyingResend(lambda: next(dies)), job.pk)

    done = JobItem.objects.get(outcome="dispatched")
    assert Dispatch.objects.get().pk == done.dispatch_id
    assert Delivery.objects.get(state="pending").pk == done.delivery_id
    assert Delivery.objects.filter(state="sent", generation=0).count() == 2
    job.refresh_from_db()
    assert (job.state, job.counts) == ("running", {"waiting": 2, "dispatched": 1})

    jobs.go_on(Resend(), job.pk, by="ada")
    assert jobs.run(Resend(), job.pk).counts == {"waiting": 0, "dispatched": 3}
    assert Dispatch.objects.count() == 3
    assert "it had not been stopped" in str(job.log.order_by("id")[1])


class SlowResend(Resend):
    """meanwhile: what somebody else does while the shop is asked."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self.meanwhile = meanwhile

    def weigh(self, delivery: Delivery, job: Job) -> Verdict:
        with ThreadPoolExecutor(1) as other:
            other.submit(self._elsewhere).result()
        return super().weigh(delivery, job)

    def _elsewhere(self) -> None:
        try:
            self.meanwhile()
        finally:
            connection.close()


def test_what_a_job_does_while_another_is_begun_the_other_leaves_alone() -> None:
    """It was done after that one's list was made, though it was begun before."""
    sent()
    first = begun()
    second: list[Job] = []

    def begin_another() -> None:
        wanted = {"subject": ["order/7"], "channel": ["email"]}
        second.append(jobs.begin(Resend(), wanted, by="grace", reason="lost", rate=1000.0))

    jobs.run(SlowResend(begin_another), first.pk)
    tell(message())
    jobs.run(Resend(), second[0].pk)

    assert Delivery.objects.get().generation == 1
    [item] = second[0].items.all()
    assert (item.outcome, "has done it meanwhile" in item.why) == ("left_alone", True)


def test_two_processes_at_one_job_take_turns_and_keep_its_rate() -> None:
    for _ in range(12):
        sent()
    job = begun()
    Job.objects.update(rate=50)
    at_once(lambda: jobs.run(Resend(), job.pk), 2)

    job.refresh_from_db()
    assert (job.state, job.counts["dispatched"]) == ("done", 12)
    assert JobItem.objects.filter(outcome="dispatched").count() == 12
    due = list(Dispatch.objects.order_by("available_at").values_list("available_at", flat=True))
    assert len(due) == 12
    for before, after in pairwise(due):
        assert (after - before).total_seconds() >= 0.0199
    assert [entry.text for entry in job.log.all()].count("done: 12 dispatched") == 1


def test_a_job_that_is_stopped_elsewhere_stops_within_its_item() -> None:
    for _ in range(3):
        sent()
    job = begun()

    def stop(job: Any) -> None:
        if job.state == Job.State.RUNNING:
            jobs.halt(job.pk, by="ada", why="lunch")

    assert jobs.run(Resend(), job.pk, said=stop).state == "stopped"
    assert Dispatch.objects.count() == 1
    assert str(job.log.latest("id")) == "stopped: lunch"


def test_what_is_kept_of_a_job_names_no_address() -> None:
    sent()
    job = jobs.begin(
        Resend(), {"subject": ["order/7"]}, by="mira", reason=f"{EMAIL} asked", rate=1.0
    )
    assert EMAIL not in f"{job.reason} {job.log.get()}"
