"""The oldest event on which a consumer has not reported, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications import consumers, pace, progress
from notifications.consumers import Consumer
from notifications.models import Delivery, Dispatch, Event, Handled, Progress
from notifications.models.progress import _LOOK
from tests.integration.operator_rows import make_delivery
from tests.plans import analyze, many_deliveries, plan_of

pytestmark = pytest.mark.django_db

LEDGER = Consumer("ledger", task="tests.ledger", wants=None)
NOW = timezone.now()


@pytest.fixture(autouse=True)
def _ledger() -> Iterator[None]:
    consumers.register(LEDGER)
    yield
    consumers.unregister("ledger")


def event(*, age: float, expected: tuple[str, ...] = ("ledger", "email"), number: int = 1) -> Event:
    """Recorded so many minutes ago, and published three seconds later."""
    recorded = timezone.now() - timedelta(minutes=age)
    made = Event.objects.create(
        type="order.created",
        source="urn:test",
        subject=f"order/{number}",
        time=recorded,
        recorded_at=recorded,
        expected=list(expected),
    )
    Dispatch.objects.create(
        event=made,
        subject=made.subject,
        kind="topic",
        destination="order-events",
        state="published",
        published_at=recorded + timedelta(seconds=3),
    )
    return made


def did(made: Event, outcome: str = "done", *, after: float = 5) -> None:
    """So many seconds after it was recorded."""
    at = made.recorded_at + timedelta(seconds=after)
    Handled.objects.create(
        consumer="ledger", event_id=made.pk, outcome=outcome, received_at=at, done_at=at
    )


def oldest(name: str = "ledger", *, chunks: int = 100) -> progress.Oldest:
    left = iter(range(chunks))
    among = [consumers.get(name)]
    return progress.oldest(among, go_on=lambda: next(left, None) is not None)[name]


def upto(name: str = "ledger") -> datetime:
    return Progress.objects.get(consumer=name).upto


@pytest.mark.parametrize("outcome", ["done", "failed"])
def test_it_is_the_oldest_that_has_no_outcome(outcome: str) -> None:
    did(event(age=30), outcome)
    waiting = event(age=20)
    did(event(age=10))
    event(age=40, expected=("email",))

    found = oldest()

    assert (found.at, found.event_id, found.sure) == (waiting.recorded_at, waiting.id, True)


def test_who_has_reported_on_everything_owes_nothing() -> None:
    did(event(age=30))
    assert oldest() == progress.Oldest(None)


def test_what_failed_and_is_tried_again_has_no_outcome_yet() -> None:
    waiting = event(age=20)
    did(waiting, "open")
    assert oldest().event_id == waiting.id


def test_a_channel_has_reported_when_all_of_its_deliveries_are_over() -> None:
    one, other = event(age=20), event(age=10, number=2)
    make_delivery(one, state="sent")
    make_delivery(one, state="retrying", recipient="customer/43")
    assert oldest("email").event_id == one.id

    Delivery.objects.update(state="failed")
    assert oldest("email").event_id == other.id


def test_nobody_is_late_with_what_a_person_looks_up() -> None:
    doubted = event(age=20)
    made = make_delivery(doubted, state="unknown")
    Delivery.objects.filter(pk=made.pk).update(next_try_at=timezone.now() + timedelta(minutes=1))
    assert oldest("email").event_id == doubted.id, "it is tried again"

    Delivery.objects.update(next_try_at=None)
    assert oldest("email").at is None


def test_the_next_look_begins_where_the_last_one_came_to() -> None:
    did(event(age=30))
    waiting = event(age=20)
    assert oldest().at == upto() == waiting.recorded_at

    did(event(age=25))
    did(waiting)
    assert oldest().at is None
    margin = timezone.now() - progress.MARGIN
    assert margin - timedelta(minutes=1) < upto() <= margin, "a commit may come late"


def test_what_is_remembered_is_never_taken_back() -> None:
    Progress.objects.advance({"ledger": NOW})
    Progress.objects.advance({"ledger": NOW - timedelta(hours=1)})
    assert upto() == NOW


def test_a_look_that_is_broken_off_says_than_what_nothing_is_older(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "CHUNK", 2)
    made = [event(age=30 - number, number=number) for number in range(5)]
    for each in made:
        did(each)

    found = oldest(chunks=0)
    assert (found.at, found.sure) == (made[1].recorded_at, False)
    assert oldest() == progress.Oldest(None), "the next one goes on from there"


def test_the_relays_remember_it_for_each_consumer() -> None:
    event(age=20)
    assert progress.remember(using="default", go_on=lambda: True) == 2
    names = set(Progress.objects.values_list("consumer", flat=True))
    assert {"ledger", "email", "sms"} <= names
    assert "receipts" not in names, "it takes no events"


def test_what_a_relay_found_of_late_is_taken_and_else_it_is_found_anew() -> None:
    waiting = event(age=20)
    among, ever = [LEDGER, consumers.get("sms")], lambda: True
    progress.remember(using="default", go_on=ever)
    did(waiting)

    with CaptureQueriesContext(connection) as captured:
        found = progress.told(among, go_on=ever)
    assert len(captured) == 1
    owed = progress.Oldest(waiting.recorded_at, waiting.id)
    assert found == {"ledger": owed, "sms": progress.Oldest(None)}

    Progress.objects.update(told_at=timezone.now() - progress.TOLD_FOR)
    with CaptureQueriesContext(connection) as captured:
        found = progress.told(among, go_on=ever)
    assert len(captured) == 3, "all of them at once"
    assert found == {"ledger": progress.Oldest(None), "sms": progress.Oldest(None)}


def test_each_look_is_by_indexes_whatever_the_number_of_outcomes() -> None:
    """The plan is what counts: with five million outcomes, any other reads them all."""
    many_deliveries(states=("sent",))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO notifications_event
                (id, type, version, source, subject, time, data, traceparent, "foreign", expected,
                 recorded_at)
            SELECT gen_random_uuid(), 'order.created', 1, 'urn:test', 'order/' || n, now(), '{}',
                '', false, '{ledger,email}', now() - n * interval '1 second'
            FROM generate_series(1, 20000) n;
            INSERT INTO notifications_handled
                (consumer, event_id, event_type, subject, generation, attempts, starts, outcome,
                 last_error, received_at, done_at)
            SELECT 'ledger', id, type, subject, 0, 0, 0, 'done', '', recorded_at, recorded_at
            FROM notifications_event
            """
        )
    analyze(Event, Handled)
    values: dict[str, Any] = {
        "consumers": ["ledger"],
        "channels": [""],
        "sinces": [timezone.now() - timedelta(hours=1)],
        "limit": 1000,
        "terminal": ["done"],
        "digest": "digest",
        "unknown": "unknown",
        "waits": ["quiet_hours"],
    }
    plan = plan_of(_LOOK, values)
    assert "event_by_recorded_at" in plan
    assert "on notifications_handled" in plan
    assert "on notifications_delivery" in plan
    assert "Seq Scan" not in plan, plan
    assert "Join" not in plan, plan
    assert oldest().at is None


@pytest.mark.S1
def test_lag_is_from_publication_to_done() -> None:
    for number, seconds in enumerate([4, 5, 6, 7, 103], start=1):
        did(event(age=5, number=number), after=seconds)

    found = pace.lags([LEDGER], timedelta(minutes=15))["ledger"]

    assert found.count == 5
    assert found.p50 == pytest.approx(3)
    assert found.p95 == pytest.approx(80.8)


def test_lag_leaves_out_what_was_mended_and_what_was_long_ago() -> None:
    did(event(age=60))
    mended = event(age=5)
    did(mended)
    Handled.objects.filter(event_id=mended.pk).update(generation=1)
    assert pace.lags([LEDGER], timedelta(minutes=15))["ledger"] == pace.NO_LAG


def test_a_channels_lag_is_told_by_its_deliveries() -> None:
    made = event(age=5)
    make_delivery(made)
    Delivery.objects.update(sent_at=made.recorded_at + timedelta(seconds=13))
    found = pace.lags([consumers.get("email")], timedelta(minutes=15))["email"]
    assert found.p50 == pytest.approx(10)


def test_a_rate_counts_events_since_the_first_of_the_last_minutes() -> None:
    for number in range(1, 7):
        did(event(age=1, number=number), after=0)
    twice = event(age=1)
    for who in ("customer/1", "customer/2"):
        make_delivery(twice, recipient=who)
    Delivery.objects.update(sent_at=timezone.now() - timedelta(seconds=10))

    rates = pace.rates([LEDGER, consumers.get("email"), consumers.get("sms")], timedelta(minutes=5))

    assert rates["ledger"] == pytest.approx(0.1, rel=0.2)
    assert rates["email"] == pytest.approx(0.1, rel=0.5)
    assert "sms" not in rates
