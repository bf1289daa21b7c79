"""`manage.py restored`: what it does at once. What workers do then: the acceptance test."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any, NoReturn

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections
from django.utils import timezone

from notifications import announcements, nudges, restorations, restoring, schedule
from notifications.conf import Route
from notifications.filters import moment
from notifications.glance import Glance
from notifications.models import (
    Announcement,
    Attempt,
    Delivery,
    Dispatch,
    Event,
    Job,
    Restoration,
    ScheduledEvent,
    WorkerProcess,
)
from notifications.recipients import Recipient
from notifications.restoring import LOCK
from orders_site.events import OrderShipped
from tests.integration.operator_rows import make_delivery, make_event
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db

SKIPPED = 1000
"""Sequences do not go back with the test's transaction."""

OFFER = {"percent_off": 20, "until": "2199-12-31", "code": "PINE20"}


def restored(*words: str) -> str:
    out = StringIO()
    given = ["--skip-ids", str(SKIPPED), "--reason", "the disk is gone"]
    call_command("restored", *words, *given, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _no_restoration_is_remembered():
    yield
    restorations.look_again()


def test_numbers_given_since_the_backup_are_not_given_again() -> None:
    before = an_order(customer=a_customer()).pk
    restored()
    assert an_order(customer=a_customer()).pk > before + SKIPPED


def test_what_was_open_may_have_been_told_and_waits_for_a_person() -> None:
    event = make_event()
    claimed = Delivery.objects.claim(
        event.envelope(),
        channel="sms",
        route=Route("sms"),
        recipient=Recipient("customer/42", "+491701234567"),
        lease=timedelta(seconds=30),
    )
    retrying = make_delivery(event, state="retrying", recipient="customer/1")
    tonight = make_delivery(event, state="pending", recipient="customer/2")
    Delivery.objects.filter(pk=tonight.pk).update(next_try_at=timezone.now() + timedelta(hours=8))
    sent = make_delivery(event, state="sent", recipient="customer/3")

    said = restored()

    assert "held, for they may have been told: 2 deliveries" in said
    states = dict(Delivery.objects.values_list("pk", "state"))
    assert states == {
        claimed.delivery_id: "unknown",
        retrying.pk: "unknown",
        tonight.pk: "pending",
        sent.pk: "sent",
    }
    assert Attempt.objects.get(delivery=claimed.delivery_id).outcome == "unknown"


def test_jobs_and_announcements_stop_where_they_were() -> None:
    a_customer()
    job = Job.objects.create(kind="resend", state="running", actor="ada", reason="x", rate=1)
    wanted = announcements.wish("shop.news", audience="customers", data=OFFER)
    announcement = announcements.begin(wanted, by="ada", reason="sale")

    restored()

    assert Job.objects.get(pk=job.pk).state == Job.State.STOPPED
    assert Announcement.objects.get(pk=announcement.pk).state == Announcement.State.PAUSED


def test_a_dry_run_says_what_would_be_done_and_does_nothing() -> None:
    delivery = make_delivery(make_event(), state="sending")
    said = restored("--dry-run")
    assert "1 deliveries" in said
    assert "Nothing is done yet." in said
    assert Delivery.objects.get(pk=delivery.pk).state == "sending"
    assert not Restoration.objects.exists()


def test_what_each_consumer_still_owed_is_named_to_be_replayed() -> None:
    an_order(customer=a_customer())
    said = restored()
    assert "manage.py replay payments --since " in said
    assert "manage.py replay email --since " in said


def test_what_is_scheduled_is_named_for_it_may_have_been_called_off_since() -> None:
    long_over = timezone.now() - timedelta(days=40)
    for order, at in ((1, timezone.now() + timedelta(days=7)), (2, long_over)):
        schedule.add(OrderShipped(order_id=order), at=at)

    said = restored("--dry-run")
    assert "scheduled: 2 events, even if called off since (`manage.py scheduled`)" in said

    restored()
    assert Restoration.objects.get().covers_since == long_over, "it may have been recorded since"
    number = ScheduledEvent.objects.latest("id").pk
    schedule.add(OrderShipped(order_id=3), at=timezone.now())
    assert ScheduledEvent.objects.latest("id").pk > number + SKIPPED


def test_it_is_refused_while_workers_are_at_work() -> None:
    WorkerProcess.objects.create(host="mail-1", pid=17, state="running", beat_at=timezone.now())
    with pytest.raises(CommandError, match=r"workers are at work: mail-1 \(17\)"):
        restored()
    assert not Restoration.objects.exists()


def test_it_is_refused_while_a_relay_is_at_work() -> None:
    with nudges.listen(), pytest.raises(CommandError, match="relays are at work: 1"):
        restored()
    assert not Restoration.objects.exists()


def test_a_worker_that_cannot_tell_whether_there_was_a_restoration_does_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def is_away() -> NoReturn:
        raise OperationalError

    headers = {"sent_at": 0.0, "receive_count": 1, "queue": "email"}
    monkeypatch.setattr(restorations, "_view", Glance(is_away, nothing=None, name="restorations"))
    with pytest.raises(OperationalError), restorations.judged(make_event().envelope(), headers):
        pytest.fail("it was worked on")


def test_what_was_ordered_before_and_published_since_is_doubted() -> None:
    before, since = (replace(make_event(number).envelope(), generation=1) for number in (1, 2))
    Dispatch.objects.postpone(before, queue="email-bulk", until=timezone.now(), reason="redriven")
    Dispatch.objects.update(created_at=timezone.now() - timedelta(hours=1))
    restored()
    Dispatch.objects.postpone(since, queue="email-bulk", until=timezone.now(), reason="redriven")
    Dispatch.objects.filter(event=since.id).update(created_at=timezone.now())
    headers = {"sent_at": time.time() + 1, "receive_count": 1, "queue": "email-bulk"}
    for envelope, doubted in ((before, True), (since, False)):
        with restorations.judged(envelope, headers):
            assert restorations.is_doubted() is doubted


def test_it_is_done_once_for_each_restored_database() -> None:
    restored()
    with pytest.raises(CommandError, match=r"that was done at .* say so: --again"):
        restored()
    restored("--again")
    make_event()
    Event.objects.update(recorded_at=timezone.now() + timedelta(seconds=1))
    restored()
    assert Restoration.objects.count() == 3


def test_of_two_at_once_the_second_is_told_of_the_first() -> None:
    first = connections.create_connection("default")
    try:
        first.set_autocommit(False)
        with first.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [LOCK])
            with pytest.raises(CommandError, match="somebody else is doing it just now"):
                restored()
    finally:
        first.close()
    assert not Restoration.objects.exists()


def test_a_sequence_that_cannot_be_moved_on_is_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SEQUENCE nearly_full AS smallint START 32000")
    for words in (["--dry-run"], []):
        assert "but not public.nearly_full, which has fewer left" in restored(*words)
    assert Restoration.objects.get().counts["full_sequences"] == ["public.nearly_full"]


@pytest.mark.parametrize("hour", [0, 1])  # of UTC: it is half past two twice that night
def test_a_replay_is_told_its_times_so_that_they_are_read_as_they_are_meant(
    hour: int, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    at = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
    since = at - timedelta(minutes=10)
    found = replace(restoring.look(), at=at, owed={"payments": since})
    monkeypatch.setattr(restoring, "look", lambda **_: found)
    told = re.search(r"replay payments --since (\S+) --until (\S+)", restored("--dry-run"))
    assert told is not None
    assert [moment(each).astimezone(UTC) for each in told.groups()] == [since, at]
