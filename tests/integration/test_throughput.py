"""The minutes' figures: each counted once, whatever ends late, whoever adds up at the same time."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from notifications import minutes, retention, throughput
from notifications.advisory import lock_for_transaction
from notifications.minutes import MINUTE
from notifications.models import Attempt, DeadLetter, Delivery, Handled, Receipt, Throughput
from notifications.models.throughput import Counts
from tests.integration.operator_rows import (
    make_attempt,
    make_delivery,
    make_event,
    make_receipt,
)
from tests.plans import analyze, as_with_many_more

pytestmark = pytest.mark.django_db


def roll_up() -> int:
    return throughput.roll_up(using="default", go_on=lambda: True)


def all_of_it() -> int:
    total = 0
    while some := roll_up():
        total += some
    return total


@pytest.fixture
def an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is all that is caught up with."""
    monkeypatch.setattr(throughput, "CATCH_UP", throughput.HOUR)


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def attempt(delivery: Delivery, began: datetime, *, outcome: str = "sent", number: int = 1) -> None:
    made = make_attempt(delivery, outcome=outcome, number=number)
    Attempt.objects.filter(pk=made.pk).update(started_at=began)


def counts(consumer: str = "email") -> Counts:
    return throughput.added(
        Counts(*(getattr(row, name) for name in Counts._fields))
        for row in Throughput.objects.filter(consumer=consumer)
    )


def everything() -> list[tuple[Any, ...]]:
    columns = ("minute", "consumer", *Counts._fields)
    return list(Throughput.objects.order_by("minute", "consumer").values_list(*columns))


def test_every_kind_of_end_is_counted_in_the_minute_it_belongs_to() -> None:
    moment = ago(minutes=5)
    delivery = make_delivery(make_event(1))
    ends = ["transient", "unknown", "paused", "sent"]
    for number, outcome in enumerate(ends, start=1):
        attempt(delivery, moment, outcome=outcome, number=number)
    attempt(make_delivery(make_event(2)), moment, outcome="skipped")
    attempt(make_delivery(make_event(3)), moment, outcome="permanent")
    attempt(make_delivery(make_event(4)), moment, outcome="started")
    for kind in ("bounced", "complained", "delivered"):
        told = make_receipt(delivery, kind=kind)
        Receipt.objects.filter(pk=told.pk).update(received_at=moment)
    for state in ("open", "discarded"):
        DeadLetter.objects.create(
            queue="email-bulk", message_id=state, body=b"", reason="r", state=state,
            created_at=moment,
        )  # fmt: skip
    event = make_event(5)
    for consumer, outcome, attempts in [
        ("payments", "done", 2),
        ("inventory", "failed", 3),
        ("analytics", "open", 4),
        ("email", "done", 0),
    ]:
        Handled.objects.create(
            consumer=consumer, event_id=event.pk, outcome=outcome, attempts=attempts,
            done_at=None if outcome == "open" else moment,
        )  # fmt: skip

    roll_up()

    assert counts() == Counts(
        done=1,
        skipped=1,
        transient=1,
        failed=1,
        unknown=1,
        retries=2,
        returned=2,
        buried=2,
        events=3,
    )
    assert counts("payments") == Counts(done=1, transient=2, retries=2, events=1)
    assert counts("inventory") == Counts(failed=1, transient=2, retries=2, events=1)
    assert counts("analytics") == Counts()
    row = Throughput.objects.get(consumer="email", done=1)
    assert row.minute == moment.replace(second=0, microsecond=0)
    assert counts().success == pytest.approx(1 / 4)
    assert Counts(skipped=3).success is None


def test_a_day_is_caught_up_with_and_nothing_is_counted_twice() -> None:
    for hours in (0.1, 3, 23.9):
        attempt(make_delivery(make_event(1), recipient=f"customer/{hours}"), ago(hours=hours))
    attempt(make_delivery(make_event(2)), ago(hours=25))

    assert all_of_it() >= 1440
    before = everything()
    assert counts().done == 3
    assert roll_up() <= 3  # those that reached an age meanwhile
    Throughput.objects.update(computed_at=ago(days=2))
    all_of_it()
    assert everything()[: len(before)] == before
    computed = {row[0] for row in before}
    assert max(computed) - min(computed) == (len(computed) - 1) * MINUTE


@pytest.mark.usefixtures("an_hour")
def test_what_ends_late_is_counted_in_its_minute_when_that_is_computed_again() -> None:
    attempt(make_delivery(make_event(1)), ago(minutes=6), outcome="started")
    attempt(make_delivery(make_event(2)), ago(minutes=40), outcome="started")
    roll_up()
    assert counts().done == 0

    Attempt.objects.update(outcome="sent")
    Throughput.objects.filter(minute__gte=ago(minutes=20)).update(computed_at=ago(minutes=5))
    assert 1 <= roll_up() <= 20
    assert counts().done == 1, "the one whose minute is final is not"

    Throughput.objects.update(computed_at=ago(days=2))
    roll_up()
    assert counts().done == 2


@pytest.mark.usefixtures("an_hour")
@pytest.mark.django_db(transaction=True)
def test_two_relays_at_once_count_everything_once() -> None:
    for number in range(30):
        attempt(make_delivery(make_event(number)), ago(minutes=number + 0.5))
    errors: list[BaseException] = []

    def relay() -> None:
        try:
            for _ in range(15):
                roll_up()
        except BaseException as error:  # noqa: BLE001 - told by the test
            errors.append(error)
        finally:
            connection.close()

    relays = [threading.Thread(target=relay) for _ in range(2)]
    for each in relays:
        each.start()
    for each in relays:
        each.join()
    roll_up()

    assert not errors
    last = Throughput.objects.latest("minute").minute  # another minute may have ended since
    rolled_up = Attempt.objects.filter(started_at__lt=last + MINUTE).count()
    assert counts().done == rolled_up >= 29


@pytest.mark.django_db(transaction=True)
def test_who_finds_another_relay_at_it_leaves_it_to_that_one() -> None:
    locked, done = threading.Event(), threading.Event()

    def other() -> None:
        with transaction.atomic():
            lock_for_transaction("notifications/throughput", using="default")
            locked.set()
            done.wait(10)
        connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    assert locked.wait(10)
    try:
        assert roll_up() == 0
    finally:
        done.set()
        thread.join()
    assert roll_up() > 0


def test_a_run_stops_when_it_is_told_to_and_goes_on_with_the_rest_later() -> None:
    answers: Iterator[bool] = iter([True, False])
    assert throughput.roll_up(using="default", go_on=lambda: next(answers)) == minutes.STEP
    latest = Throughput.objects.order_by("-minute")[0].minute
    assert latest >= ago(minutes=3)
    assert roll_up() > minutes.STEP


def test_a_series_has_no_hole_and_says_where_nothing_is_known() -> None:
    attempt(make_delivery(make_event(1)), ago(minutes=20))
    assert all(bucket.known == 0 for bucket in throughput.last_hour().buckets)
    assert throughput.last_hour().computed_at is None
    all_of_it()

    hour, day = throughput.last_hour(), throughput.last_day()

    assert [len(hour.buckets), len(day.buckets)] == [60, 96]
    assert all(bucket.known == 1 for bucket in hour.buckets)
    assert [bucket.known for bucket in day.buckets[1:-1]] == [15] * 94
    assert [hour.total.done, day.total.done] == [1, 1]
    assert all(bucket.start.minute % 15 == 0 for bucket in day.buckets)
    assert throughput.last_hour("sms").total.done == 0
    assert throughput.by_consumer(throughput.HOUR)["email"].done == 1
    assert throughput.rates(throughput.HOUR)["email"] == pytest.approx(1 / 1200, rel=0.2)
    assert throughput.standing().computed_at == hour.computed_at


def many_rows_in_a_day() -> None:
    """Of each table that is counted, so that what the planner chooses does not hang on what the
    tests before this one left in its statistics."""
    delivery, many = make_delivery(make_event(1)), range(2000)
    moments = [ago(seconds=40 * number) for number in many]
    same: dict[str, Any] = {"delivery": delivery, "subject": delivery.subject}
    Attempt.objects.bulk_create(
        Attempt(
            **same, number=number, outcome="sent", token=uuid.uuid4(), started_at=moments[number]
        )
        for number in many
    )
    Receipt.objects.bulk_create(
        Receipt(
            id=uuid.uuid4(),
            **same,
            number=1,
            kind="bounced",
            occurred_at=moment,
            received_at=moment,
        )
        for moment in moments
    )
    Handled.objects.bulk_create(
        Handled(consumer="payments", event_id=uuid.uuid4(), outcome="done", done_at=moment)
        for moment in moments
    )
    DeadLetter.objects.bulk_create(
        DeadLetter(
            queue="email", message_id=str(number), body=b"", reason="r", created_at=moments[number],
            state=("open", "discarded")[number % 2],
        )
        for number in many
    )  # fmt: skip
    analyze(Attempt, Receipt, Handled, DeadLetter)


def test_it_reads_no_table_as_a_whole() -> None:
    many_rows_in_a_day()
    as_with_many_more()
    since = ago(hours=1).replace(second=0, microsecond=0)
    read: list[str] = []

    def explained(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith("WITH consumers"):
            context["cursor"].execute(f"EXPLAIN {sql}", params)
            read.extend(row[0] for row in context["cursor"].fetchall())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explained):
        Throughput.objects.compute(since, since + MINUTE, channels={"email": "email"}, queues={})

    plan = "\n".join(read)
    for table in ("attempt", "handled", "receipt", "deadletter"):
        assert f"Seq Scan on notifications_{table}" not in plan
    for index in (
        *("attempt_by_start", "handled_by_done_at", "receipt_", "dead_letter_open"),
        "dead_letter_dealt_with",
    ):
        assert index in plan


def test_the_minutes_are_deleted_when_their_days_are_over() -> None:
    for days in (1, 13, 15):
        Throughput.objects.create(
            minute=ago(days=days), consumer="email", computed_at=timezone.now()
        )
    retention.sweep()
    assert Throughput.objects.count() == 2
