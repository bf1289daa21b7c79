"""What is over is deleted when its days are, and nothing that is open or may come again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.db.models import Model
from django.utils import timezone
from django_celery_results.models import TaskResult

from notifications import chores, letter_discards, retention
from notifications.chores import Chore
from notifications.conf import Retention
from notifications.models import (
    Announcement,
    Attempt,
    Conversation,
    DeadLetter,
    Delivery,
    Dispatch,
    Event,
    Handled,
    Job,
    JobEntry,
    JobItem,
    Receipt,
    ScheduledEvent,
    Seen,
)
from notifications.nudges import listen
from tests.integration.operator_rows import (
    make_attempt,
    make_delivery,
    make_event,
    make_failed_task,
    make_receipt,
)
from tests.integration.test_relay_wakes import relay_at_work
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db

KEPT = Retention(dispatches=2, events=10, dead_letters=5, outcomes=50, failed_tasks=7)


@pytest.fixture(autouse=True)
def _kept(settings: Any) -> None:
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "RETENTION": KEPT}


def aged(row: Model, days: float, *columns: str, **values: Any) -> Model:
    """The row as it would be had these columns been written so many days ago."""
    moment = timezone.now() - timedelta(days=days)
    type(row)._default_manager.filter(pk=row.pk).update(**dict.fromkeys(columns, moment), **values)
    return row


def old_event(days: float = 11, number: int = 1) -> Event:
    """Recorded, published and its dispatch deleted long ago."""
    event = make_event(number)
    event.dispatches.all().delete()
    aged(event, days, "recorded_at")
    return event


def announced(*, settled: bool) -> Event:
    """An old event of an announcement that is settled, or still has a lane to go."""
    announcement = Announcement.objects.create(
        event_type="shop.news",
        version=1,
        estimate=1,
        audience="customers",
        channels=["email", "sms"],
        state="done" if settled else "paused",
        settled_at=timezone.now() if settled else None,
        actor="ada",
        reason="the spring sale",
        batches=1,
    )
    event = old_event(11, number=Event.objects.count() + 1)
    Event.objects.filter(pk=event.pk).update(announcement=announcement, batch=1)
    return event


def old_delivery(event: Event, days: float, *, state: str = "sent") -> Delivery:
    delivery = make_delivery(event, state=state)
    aged(delivery, days, "created_at", "updated_at")
    return delivery


def a_dead_letter(state: str, **given: Any) -> DeadLetter:
    number = DeadLetter.objects.count()
    return DeadLetter.objects.create(
        queue="email", message_id=f"m-{number}", body=b"", reason="failed", state=state, **given
    )


def a_handled(event: Event, outcome: str, days: float) -> Handled:
    row = Handled.objects.create(
        consumer="payments", event_id=event.pk, subject=event.subject, outcome=outcome
    )
    aged(row, days, "received_at", "done_at")
    return row


def left(model: type[Model]) -> set[Any]:
    return set(model._default_manager.values_list("pk", flat=True))


def test_a_dispatch_goes_when_it_was_published_long_ago() -> None:
    rows = [make_event(number).dispatches.get() for number in range(3)]
    aged(rows[0], 3, "published_at", "created_at", state="published")
    aged(rows[1], 1, "published_at", "created_at", state="published")
    aged(rows[2], 99, "available_at", "created_at", state="waiting")

    assert retention.sweep() == 1
    assert left(Dispatch) == {rows[1].pk, rows[2].pk}


def test_an_event_goes_when_nothing_that_is_open_is_about_it() -> None:
    over, young = old_event(11), old_event(9, number=2)
    old_delivery(over, 11)
    a_handled(over, "done", 11)
    a_dead_letter("discarded", event_id=over.pk)
    published = old_event(99, number=3)
    Dispatch.objects.create(event=published, kind="topic", destination="x", state="published")
    waited_for = [old_event(99, number=number) for number in range(4, 7)]
    old_delivery(waited_for[0], 99, state="unknown")
    a_handled(waited_for[1], "open", 99)
    a_dead_letter("open", event_id=waited_for[2].pk)

    assert retention.sweep() == 1
    assert left(Event) == {young.pk, published.pk, *(event.pk for event in waited_for)}
    assert Delivery.objects.filter(event_id=over.pk).exists(), "outcomes outlive events"
    assert Handled.objects.filter(event_id=over.pk).exists()


def test_what_was_scheduled_goes_when_it_is_over_and_else_stays() -> None:
    for days in (9, 11):
        at = timezone.now() - timedelta(days=days)
        for state in ScheduledEvent.State.values:
            about: dict[str, Any] = {"subject": f"order/{days}", "key": state, "state": state}
            ScheduledEvent.objects.create(version=1, due_at=at, look_at=at, over_at=at, **about)

    retention.sweep()

    assert set(ScheduledEvent.objects.values_list("subject", "state")) == {
        ("order/11", "refused"),
        ("order/11", "waiting"),
        *(("order/9", state) for state in ScheduledEvent.State.values),
    }


def test_a_job_goes_with_its_items_and_its_log_when_it_has_been_over_for_long() -> None:
    def a_job(state: str, days: float) -> Job:
        job = Job.objects.create(kind="resend", state=state, actor="ada", reason="x", rate=1)
        JobItem.objects.create(job=job, subject="order/1")
        job.write("begun", by="ada")
        aged(job, days, "created_at", "finished_at")
        return job

    for state in ("done", "cancelled"):
        a_job(state, 51)
    kept = {a_job("done", 49).pk, a_job("running", 99).pk, a_job("stopped", 99).pk}

    assert retention.sweep() == 4, "two jobs, and the item of each"
    assert left(Job) == kept
    assert set(JobItem.objects.values_list("job_id", flat=True)) == kept
    assert set(JobEntry.objects.values_list("job_id", flat=True)) == kept


def test_the_items_of_a_large_job_go_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS", 2)
    monkeypatch.setattr(retention, "BATCHES", 2)
    job = Job.objects.create(kind="drop", state="done", actor="ada", reason="x", rate=1)
    JobItem.objects.bulk_create(JobItem(job=job, subject=f"order/{n}") for n in range(5))
    aged(job, 51, "created_at", "finished_at")

    assert retention.sweep() == 4
    assert left(Job) == {job.pk}
    assert retention.sweep() == 2
    assert not left(Job)
    assert not left(JobItem)


@pytest.mark.parametrize("state", ["redriven", "discarded"])
def test_a_dead_letter_goes_when_it_was_dealt_with_long_ago(state: str) -> None:
    long_ago, lately, still_open = (a_dead_letter(each) for each in (state, state, "open"))
    aged(long_ago, 6, "created_at", "last_seen_at", "changed_at")
    aged(lately, 99, "created_at", "last_seen_at")
    aged(lately, 1, "changed_at")
    aged(still_open, 99, "created_at", "last_seen_at")

    assert retention.sweep() == 1
    assert left(DeadLetter) == {lately.pk, still_open.pk}


def test_one_dealt_with_by_somebody_who_left_no_time_goes_by_when_it_was_last_seen() -> None:
    letter = a_dead_letter("redriven")
    aged(letter, 6, "created_at", "last_seen_at")
    assert retention.sweep() == 1


def test_outcomes_go_after_their_event_with_all_that_belongs_to_them() -> None:
    event = old_event(99)
    delivery = old_delivery(event, 51)
    attempt, receipt = make_attempt(delivery), make_receipt(delivery)
    handled = a_handled(event, "done", 51)
    a_dead_letter("open", event_id=event.pk)

    retention.sweep()
    assert (left(Delivery), left(Handled)) == ({delivery.pk}, {handled.pk}), "it may come again"
    assert (left(Attempt), left(Receipt)) == ({attempt.pk}, {receipt.pk})

    DeadLetter.objects.update(state="redriven")
    retention.sweep()
    for model in (Event, Delivery, Attempt, Receipt, Handled):
        assert not left(model), model


@pytest.mark.parametrize("state", sorted(Delivery.OPEN))
def test_a_delivery_in_no_last_state_stays(state: str) -> None:
    event = old_event(99)
    delivery = old_delivery(event, 99, state=state)
    Event.objects.all().delete()
    retention.sweep()
    assert left(Delivery) == {delivery.pk}


def test_an_open_inbox_row_and_a_young_outcome_stay() -> None:
    events = [old_event(99, number=number) for number in (1, 2)]
    rows = {a_handled(events[0], "open", 99).pk, a_handled(events[1], "failed", 49).pk}
    delivery = old_delivery(events[1], 49)
    retention.sweep()
    assert left(Handled) == rows
    assert left(Delivery) == {delivery.pk}


def test_failed_tasks_go() -> None:
    event = make_event()
    old, young = (make_failed_task(event, UUID(int=number)) for number in (1, 2))
    aged(old, 8, "date_done")
    retention.sweep()
    assert left(TaskResult) == {young.pk}


def test_it_goes_on_where_a_batch_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS", 4)
    for number in range(10):
        old_event(11, number=number)
    assert retention.sweep() == 10
    assert not left(Event)


def test_it_stops_when_it_is_told_to() -> None:
    old_event(11)
    assert retention.sweep(go_on=lambda: False) == 0
    assert left(Event)


def test_what_is_due_is_looked_up_and_no_table_hashed_for_it() -> None:
    hashed = [kind.name for kind in retention.kinds() if "SubPlan" in kind.due().explain()]
    assert not hashed


@pytest.mark.django_db(transaction=True)
def test_what_somebody_else_sweeps_or_holds_is_left_to_them() -> None:
    event = old_event(11)
    other = connections.create_connection("default")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('notifications/retention', 0))"
            )
            assert retention.sweep() == 0
            other.rollback()
            cursor.execute(
                "SELECT FROM notifications_event WHERE id = %s FOR KEY SHARE", [event.pk]
            )
            assert retention.sweep() == 0, "somebody is about to put it on its way once more"
            other.rollback()
    finally:
        other.close()
    assert retention.sweep() == 1


def test_a_dry_run_says_what_would_go_and_a_purge_lets_it_go() -> None:
    old_event(11)

    assert "events: 1 older than 10 days\n" in purge("--dry-run")
    assert purge("--dry-run").endswith("Nothing was done.\n")
    assert left(Event)
    assert json.loads(purge("--json"))["deleted"] == 1
    assert not left(Event)


def test_the_inbox_reaches_back_as_far_as_outcomes_are_kept() -> None:
    before = timezone.now()
    since = retention.inbox_since()
    assert before <= since + timedelta(days=50) <= timezone.now()


def test_a_dead_letter_s_days_begin_when_it_was_dealt_with() -> None:
    letter = a_dead_letter("open", first_seen_at=timezone.now() - timedelta(days=20))
    letter.refresh_from_db()
    assert retention.deleted_at(letter) is None
    assert retention.redrivable_until(letter) - timezone.now() < timedelta(days=30)
    letter_discards.discard([letter.pk], by="ada", reason="x")
    letter.refresh_from_db()
    assert letter.changed_at
    assert retention.deleted_at(letter) == letter.changed_at + timedelta(days=5)


@pytest.mark.django_db(transaction=True)
def test_while_a_relay_s_sweep_takes_long_its_other_chores_go_on(aws: None, settings: Any) -> None:
    """It takes as long as somebody else holds the table from which it deletes."""
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "METRICS_EMF": True}
    done: list[str] = []
    event = old_event(1000)
    with listen() as other, chore_of_the_shop(done):
        other.execute("BEGIN; LOCK TABLE notifications_event IN EXCLUSIVE MODE")
        with relay_at_work():
            wait_for(_somebody_waits_for_a_lock)
            done.clear()
            wait_for(lambda: len(done) > 2)  # so the keeping of dead letters goes on, too
            wait_for(Seen.objects.exists, within=20)  # CloudWatch has been told of a minute
            assert event.pk in left(Event)

            other.execute("ROLLBACK")
            wait_for(lambda: event.pk not in left(Event))


@contextmanager
def chore_of_the_shop(done: list[str]) -> Iterator[None]:
    """One that is often due."""

    def note(*, using: str, go_on: Callable[[], bool]) -> int:
        done.append(using)
        return 1

    chores.register(Chore("noting", 0.05, note))
    yield
    chores.unregister("noting")


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_locks WHERE relation IS NOT NULL AND NOT granted")
        return cursor.fetchone() is not None


def purge(*arguments: str) -> str:
    out = StringIO()
    call_command("purge", *arguments, stdout=out)
    return out.getvalue()


def test_when_somebody_wrote_and_which_call_was_taken_is_kept_for_as_long_as_it_matters() -> None:
    now = timezone.now()
    for days in (retention.CONVERSATIONS - 1, retention.CONVERSATIONS + 1):
        Conversation.objects.create(
            channel="sms", address_hash=f"1:{days}", last_inbound_at=now - timedelta(days=days)
        )
        Seen.objects.create(id=UUID(int=days), kept_until=now + timedelta(days=6 - days))
    retention.sweep()
    assert [row.address_hash for row in Conversation.objects.all()] == ["1:6"]
    assert [row.id for row in Seen.objects.all()] == [UUID(int=6)]


def test_an_announcement_s_people_stay_until_its_slowest_channel_has_told_them() -> None:
    """One that is paused for long, or has a slow channel, still has them before it."""
    under_way, over = (announced(settled=settled) for settled in (False, True))

    assert retention.sweep() == 1
    assert left(Event) == {under_way.pk}, over.pk
