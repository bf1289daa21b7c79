"""The relays' job runner: side by side, several relays at one job, death, pause, and bugs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connections

from notifications import job_runner, jobs, undertakings
from notifications.chores import Chore
from notifications.housekeeping import JOBS, Housekeeping
from notifications.models import Delivery, Dispatch, Job
from notifications.relay import Relay
from notifications.resend import Resend
from tests.integration.letters import Town
from tests.integration.test_resend import sent
from tests.waiting import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("town")]


@contextmanager
def relay(chore: Chore = JOBS) -> Iterator[None]:
    """The thread in which a relay runs jobs."""
    thread = Housekeeping("default", [chore])
    thread.start()
    try:
        yield
    finally:
        thread.close()


def begun(wanted: Any = None, *, rate: float = 1000.0, reason: str = "why") -> Job:
    wanted = wanted or {"subject": ["order/7"]}
    return jobs.begin(
        Resend(), wanted, by="mira", reason=reason, rate=rate, runner=Job.Runner.RELAY
    )


def now(job: Job) -> Job:
    job.refresh_from_db()
    return job


def is_over(job: Job) -> Callable[[], bool]:
    return lambda: now(job).state == "done"


def test_a_relay_runs_what_was_left_to_it_and_leaves_a_command_its_own() -> None:
    for _ in range(3):
        sent()
    left = begun()
    other = sent()
    wanted = {"event": [str(other.id)]}
    own = jobs.begin(Resend(), wanted, by="mira", reason="why", rate=1000.0)
    with relay():
        wait_for(is_over(left))
        later = begun({"state": ["pending"]})  # begun while it works
        wait_for(is_over(later))
    assert left.counts == {"waiting": 0, "dispatched": 3}
    assert later.counts == {"waiting": 0, "left_alone": 3}
    assert (now(own).state, own.counts) == ("running", {"waiting": 1})


def test_a_job_whose_shop_does_not_answer_holds_up_no_other(town: Town) -> None:
    slow, quick = sent(), sent()
    asked, answer = Event(), Event()

    def hang() -> str | None:
        asked.set()
        assert answer.wait(20)
        return None

    class Hanging(dict[str, str]):
        """Of whom the first to be asked about does not answer."""

        def get(self, subject: str, default: Any = None) -> Any:
            return None if asked.is_set() else hang()

    town.untrue_of = Hanging()
    first = begun({"event": [str(slow.id)]})
    with relay():
        assert asked.wait(20)
        second = begun({"event": [str(quick.id)]})
        wait_for(is_over(second))
        assert now(first).state == "running"
        answer.set()
        wait_for(is_over(first))


def test_a_database_that_is_lost_while_the_shop_is_asked_stops_no_job(town: Town) -> None:
    sent()

    class Losing(dict[str, str]):
        """The first question costs whoever asks it their connection."""

        asked = 0

        def get(self, subject: str, default: Any = None) -> Any:
            self.asked += 1
            if self.asked == 1:
                with connections["default"].cursor() as cursor:
                    cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            return None

    town.untrue_of = Losing()
    job = begun()
    with relay():
        wait_for(lambda: now(job).state != "running")
    assert (job.state, job.counts) == ("done", {"waiting": 0, "dispatched": 1})


def test_a_slow_job_keeps_its_rate_and_no_thread() -> None:
    for _ in range(8):
        sent()
    ids = [str(pk) for pk in Delivery.objects.values_list("pk", flat=True)]
    slow = [begun({"delivery": [each]}, rate=0.001) for each in ids[: job_runner.SIDE_BY_SIDE + 2]]
    for job in slow:
        Job.objects.filter(pk=job.pk).update(next_at="2100-01-01T00:00Z")
    quick = begun({"delivery": ids[-1:]})
    with relay():
        wait_for(is_over(quick))
        assert {now(job).state for job in slow} == {"running"}
        jobs.set_rate(slow[0].pk, 100.0, by="ada", reason="the night is over")
        wait_for(is_over(slow[0]))
        jobs.halt(slow[1].pk, by="ada")
        jobs.go_on(Resend(), slow[1].pk, by="ada", rate=100.0, runner=Job.Runner.RELAY)
        wait_for(is_over(slow[1]))
    assert Dispatch.objects.count() == 3


def test_several_relays_share_a_job_and_do_nothing_twice() -> None:
    for _ in range(12):
        sent()
    job = begun()
    with relay(), relay(), relay():
        wait_for(is_over(job))
    assert job.counts == {"waiting": 0, "dispatched": 12}
    assert Dispatch.objects.count() == 12


def test_what_a_relay_leaves_that_dies_another_goes_on_with() -> None:
    for _ in range(40):  # ten seconds of work
        sent()
    job = begun(rate=4)
    with relay():
        wait_for(lambda: now(job).counts.get("dispatched"))
    assert now(job).state == "running"
    assert Dispatch.objects.count() < 40
    jobs.set_rate(job.pk, 1000.0, by="ada", reason="quickly now")
    with relay():
        wait_for(is_over(job))
    assert Dispatch.objects.count() == 40


def test_a_pause_holds_it_and_whoever_resumes_it_has_the_relays_go_on() -> None:
    for _ in range(40):  # ten seconds of work
        sent()
    job = begun(rate=4)
    with relay():
        wait_for(lambda: now(job).counts.get("dispatched"))
        jobs.halt(job.pk, by="ada", why="lunch")
        done = now(job).counts["dispatched"]
        other = begun({"subject": ["order/8"]})
        wait_for(is_over(other))
        assert now(job).counts["dispatched"] == done
        jobs.go_on(
            Resend(), job.pk, by="ada", reason="lunch is over", rate=1000, runner=Job.Runner.RELAY
        )
        wait_for(is_over(job))
    assert "gone on with: lunch is over" in [entry.text for entry in job.log.all()]


def test_a_command_s_job_that_is_handed_to_the_relays_is_theirs() -> None:
    for _ in range(3):
        sent()
    job = jobs.begin(Resend(), {"subject": ["order/7"]}, by="mira", reason="why", rate=2)

    def hand_over(job: Job) -> None:
        if job.counts.get("dispatched") and job.runner == "process":
            jobs.go_on(undertakings.work_of(job.kind), job.pk, by="ada", runner=Job.Runner.RELAY)

    assert jobs.run(Resend(), job.pk, said=hand_over).state == "running"
    with pytest.raises(jobs.Refused, match="is running already"):
        jobs.go_on(Resend(), job.pk, by="ada", runner=Job.Runner.RELAY)
    with relay():
        wait_for(is_over(job))
    assert Dispatch.objects.count() == 3


def test_what_a_deploy_took_away_stops_its_job_and_no_other() -> None:
    sent()
    broken = begun()
    Job.objects.filter(pk=broken.pk).update(kind="nothing")
    sent()
    well = begun({"state": ["sent"]})
    with relay():
        wait_for(is_over(well))
        wait_for(lambda: now(broken).state == "stopped")
    assert "by itself: 'nothing' is no kind of work" in str(broken.log.latest("id"))


def test_a_relay_has_this_thread_and_ends_with_it(aws: None) -> None:
    sent()
    job = begun()
    process = Relay()

    def run() -> None:
        try:
            process.run()
        finally:
            connections.close_all()

    thread = Thread(target=run)
    thread.start()
    try:
        wait_for(is_over(job), within=20)
    finally:
        process.stop()
        thread.join(20)
    assert not thread.is_alive()
