"""Objectives: what counts as told in time, what is measured of it, and who is told of that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from notifications import needs, objectives, retention, throughput
from notifications.burn import Standing, Word
from notifications.conf import Digest, Fallback, Objective, Route
from notifications.metrics import gauges
from notifications.models import Attempt, Delivery, Dispatch, Event, Handled, Punctuality
from notifications.models.judgement import JUDGED
from notifications.models.punctuality import BY_HOUR, BY_MINUTE, Tally
from tests.integration.operator_rows import make_attempt, make_delivery, make_event, operator
from tests.plans import analyze, as_with_many_more

pytestmark = pytest.mark.django_db

KIND = "order.created"
WITHIN = timedelta(seconds=60)


@pytest.fixture(autouse=True)
def declared(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`declared(order_created=Objective(…))`; told by email and push, measured over an hour."""
    monkeypatch.setattr(objectives, "CATCH_UP", timedelta(hours=1))

    def declare(objective: Objective, *routes: Route | Fallback) -> None:
        settings.NOTIFICATIONS = {
            **settings.NOTIFICATIONS,
            "OBJECTIVES": {KIND: objective},
            "ROUTES": {KIND: list(routes) or [Route("email"), Route("push")]},
        }

    declare(Objective(0.95, WITHIN))
    return declare


@pytest.fixture
def numbers() -> Iterator[int]:
    return iter(range(1, 100_000))


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def an_event(number: int, at: datetime, *, expected: tuple[str, ...] = ("email", "push")) -> Event:
    event = make_event(number)
    Event.objects.filter(pk=event.pk).update(recorded_at=at, expected=list(expected))
    event.recorded_at = at
    return event


def tell(
    event: Event, *, after: float, channel: str = "email", outcome: str = "sent", **changed: Any
) -> Delivery:
    """A delivery and its only attempt, which ended so many seconds after the event's record."""
    delivery = make_delivery(event, channel=channel, state=changed.pop("state", "sent"))
    made = make_attempt(delivery, outcome=outcome)
    Attempt.objects.filter(pk=made.pk).update(
        finished_at=event.recorded_at + timedelta(seconds=after)
    )
    if changed:
        Delivery.objects.filter(pk=delivery.pk).update(**changed)
    return delivery


def hold(event: Event, *, reason: str, queue: str = "email") -> None:
    Dispatch.objects.create(
        event=event, subject=event.subject, kind="queue", destination=queue, reason=reason
    )


def roll_up() -> int:
    total = 0
    while some := objectives.roll_up(using="default", go_on=lambda: True):
        total += some
    return total


def again() -> None:
    """Every minute is computed anew."""
    Punctuality.objects.update(computed_at=ago(days=2))
    roll_up()


def measured(width: int = BY_MINUTE) -> Tally:
    rows = Punctuality.objects.filter(width=width).values_list("due", "in_time")
    return Tally(*map(sum, zip(*rows, strict=True)))


def test_an_event_is_in_time_when_the_first_of_its_deliveries_is_taken_in_time(
    numbers: Iterator[int],
) -> None:
    moment = ago(minutes=10)
    tell(an_event(next(numbers), moment), after=60)
    tell(an_event(next(numbers), moment), after=60.01)
    both = an_event(next(numbers), moment)
    tell(both, after=600, state="failed", outcome="permanent")
    tell(both, after=5, channel="push")
    came_back = an_event(next(numbers), moment)
    tell(came_back, after=5, state="bounced")
    resent = an_event(next(numbers), moment)
    tell(resent, after=5, generation=1, sent_at=timezone.now())

    roll_up()

    assert measured() == Tally(due=5, in_time=4)
    assert measured(BY_HOUR) == Tally(due=5, in_time=4)


@pytest.mark.parametrize(
    "state", ["pending", "sending", "retrying", "failed", "unknown", "discarded"]
)
def test_whoever_was_to_be_told_and_was_not_is_late(state: str) -> None:
    event = an_event(1, ago(minutes=10), expected=("email",))
    make_delivery(event, state=state)
    roll_up()
    assert measured() == Tally(due=1, in_time=0)


def test_an_event_that_nobody_has_come_to_is_late_once_its_time_is_over(
    numbers: Iterator[int],
) -> None:
    for seconds in (90, 45):
        an_event(next(numbers), ago(seconds=seconds))
    skipped_here = an_event(next(numbers), ago(minutes=10))
    make_delivery(skipped_here, state="skipped", channel="push")
    nobody_here = an_event(next(numbers), ago(minutes=10))
    Handled.objects.create(consumer="push", event_id=nobody_here.pk, outcome="done")
    roll_up()
    again()
    until = timezone.now().replace(second=0, microsecond=0)
    over = Event.objects.filter(recorded_at__lt=min(until, ago(seconds=60))).count()
    assert measured() == Tally(due=over, in_time=0)


def test_what_is_skipped_held_or_no_business_of_the_customer_does_not_count(
    numbers: Iterator[int],
) -> None:
    moment = ago(minutes=10)
    for reason in ("opted_out", "no_address", "no_longer_true: cancelled"):
        event = an_event(next(numbers), moment)
        make_delivery(event, state="skipped")
        make_delivery(event, state="skipped", channel="push")
        event.deliveries.update(reason=reason)
    nobody = an_event(next(numbers), moment)
    for consumer in ("email", "push"):
        Handled.objects.create(consumer=consumer, event_id=nobody.pk, outcome="done")
    for reason in ("quiet_hours", "throttled"):
        held = an_event(next(numbers), moment, expected=("email",))
        tell(held, after=500)
        hold(held, reason=reason)
    announced = an_event(next(numbers), moment)
    Event.objects.filter(pk=announced.pk).update(announcement=1)
    an_event(next(numbers), moment, expected=("payments", "analytics"))
    warehouse = an_event(next(numbers), moment, expected=("email",))
    tell(warehouse, after=500, route="warehouse")

    roll_up()
    assert measured() == Tally()

    expired = an_event(next(numbers), moment, expected=("email",))
    make_delivery(expired, state="skipped")
    expired.deliveries.update(reason="expired")
    beside = an_event(next(numbers), moment)
    tell(beside, after=500)
    make_delivery(beside, channel="push", state="pending")
    hold(beside, reason="quiet_hours", queue="push")
    again()
    assert measured() == Tally(due=2), "who came too late to be told, and one not held by email"


def test_a_fallback_is_late_until_a_step_has_told_them(declared: Any) -> None:
    declared(Objective(0.95, WITHIN), Fallback(("push", "sms"), within=timedelta(minutes=10)))
    event = an_event(1, ago(minutes=10), expected=("push",))
    make_delivery(event, state="skipped", channel="push")
    hold(event, reason="fell_back", queue="sms")
    roll_up()
    assert measured() == Tally(due=1)

    make_delivery(event, state="skipped", channel="sms")
    again()
    assert measured() == Tally(), "nobody could be told"


def test_what_is_unknown_is_late_until_it_is_settled(numbers: Iterator[int]) -> None:
    moment = ago(minutes=30)
    told, looked_up, lost = (
        tell(an_event(next(numbers), moment), after=5, outcome="unknown", state="unknown")
        for _ in range(3)
    )
    roll_up()
    assert measured() == Tally(due=3, in_time=0)

    told.attempt_log.update(outcome="sent")
    Delivery.objects.filter(pk=looked_up.pk).settle_by_operator(Delivery.State.SENT, note="ada")
    Delivery.objects.filter(pk=lost.pk).settle_by_operator(Delivery.State.FAILED, note="ada")
    Punctuality.objects.filter(width=BY_MINUTE).update(computed_at=ago(minutes=16))
    assert roll_up() > 0, "computed again at a quarter of an hour"
    assert measured() == measured(BY_HOUR) == Tally(due=3, in_time=2)


def test_every_minute_is_computed_and_an_hour_is_the_sum_of_its_own(
    numbers: Iterator[int], settings: Any
) -> None:
    for minutes in (3, 20, 40, 59):
        tell(an_event(next(numbers), ago(minutes=minutes)), after=5)
    assert 59 <= roll_up() <= 61
    assert roll_up() <= 2
    assert measured() == measured(BY_HOUR) == Tally(4, 4)
    again()
    assert measured() == measured(BY_HOUR) == Tally(4, 4)

    more = {**settings.NOTIFICATIONS["OBJECTIVES"], "order.shipped": Objective(0.9, WITHIN)}
    routes = {**settings.NOTIFICATIONS["ROUTES"], "order.shipped": [Route("email")]}
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "OBJECTIVES": more, "ROUTES": routes}
    assert roll_up() >= 59, "what is new is caught up with"
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "OBJECTIVES": {}}
    assert roll_up() == 0
    assert objectives.standings() == []


def a_bad_hour() -> None:
    """In which three of four were late, after five that were good; and a little beyond now."""
    start = timezone.now().replace(second=0, microsecond=0)
    Punctuality.objects.bulk_create(
        Punctuality(
            width=BY_MINUTE,
            event_type=KIND,
            start=start - timedelta(minutes=number),
            due=20,
            in_time=20 if number > 62 else 5,
            computed_at=timezone.now(),
        )
        for number in range(-2, 362)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notifications_punctuality (width, start, event_type, due, in_time,"
            " computed_at) SELECT 60, date_bin('1 hour', start, 'epoch'), event_type, sum(due),"
            " sum(in_time), now() FROM notifications_punctuality GROUP BY 2, 3"
        )


def standing() -> Standing:
    (found,) = objectives.standings()
    return found


def test_a_budget_burns_by_the_part_that_is_late() -> None:
    a_bad_hour()
    found = standing()
    assert found.told("1h") == Tally(due=1200, in_time=300)
    assert found.burn("1h") == pytest.approx(0.75 / 0.05)
    assert found.burn("5m") == pytest.approx(15)
    assert found.burn("6h") == pytest.approx(15 / 6, rel=0.1)
    assert found.left == pytest.approx(1 - 15 / 6, rel=0.2)
    assert [found.word(window) for window in ("5m", "1h", "6h")] == [
        Word.FAST,
        Word.FAST,
        Word.BURNING,
    ]
    assert found.is_fast
    exported = {reading.labels[1:]: round(reading.value, 1) for reading in gauges.of_objectives()}
    assert exported == {
        ("5m",): 15.0,
        ("30m",): 15.0,
        ("1h",): 15.0,
        ("6h",): pytest.approx(2.5, rel=0.1),
        (): 1.0,  # fast
    }
    Punctuality.objects.filter(width=BY_MINUTE, start__gt=ago(minutes=7)).update(in_time=20)
    assert not standing().is_fast, "it is over"
    few = replace(found, tallies={name: Tally(4, 0) for name in found.tallies})
    assert not few.is_fast, "four late ones wake nobody"
    half = replace(found, objective=Objective(0.5, WITHIN))
    assert half.word("1h") is Word.BURNING
    assert replace(found, tallies={}).burn("1h") is None


def test_an_hour_to_tell_them_in_is_judged_once_it_is_over(declared: Any) -> None:
    declared(Objective(0.95, timedelta(hours=1)))
    start = timezone.now().replace(second=0, microsecond=0)
    Punctuality.objects.bulk_create(
        Punctuality(
            width=BY_MINUTE,
            event_type=KIND,
            start=start - timedelta(minutes=number),
            due=1 if number < 60 else 20,  # of the last hour those are known that were told
            in_time=1,
            computed_at=timezone.now(),
        )
        for number in range(-1, 130)  # another minute may end before it is asked for
    )
    assert standing().told("5m") == Tally(due=100, in_time=5)
    assert standing().is_fast


@pytest.mark.usefixtures("aws")
def test_the_overview_says_it_to_people_and_to_programs() -> None:
    throughput.roll_up(using="default", go_on=lambda: True)
    a_bad_hour()
    client: Client = operator(Delivery, Event)
    page = client.get("/admin/console/overview/").content.decode()
    said = " ".join(page.split())
    assert "Customers are told too late, 1 objective is being missed: order.created." in said
    assert 'href="/admin/console/overview/#objectives"' in said
    assert '95 %<span class="notifications-second">within 1 min</span>' in said
    assert "900 late of 1,200" in said
    assert f'href="{reverse("admin:console_late", args=[KIND])}"' in said
    assert '<span class="notifications-badge notifications-bad">fast</span>' in said
    assert '<span class="notifications-badge notifications-trouble">burning</span>' in said

    def say(*arguments: str) -> str:
        out = StringIO()
        call_command("overview", *arguments, stdout=out, no_color=True)
        return out.getvalue()

    (told,) = json.loads(say("--json"))["objectives"]
    assert told["told"]["last_hour"] == {"due": 1200, "in_time": 300, "part": 0.25}
    assert told["burn"]["1h"] == {"ratio": pytest.approx(15), "word": "fast"}
    assert told["fast"] is True
    assert re.search(r"^order.created +95 % +1 min +25.0 % .* 15.0 fast ", say(), re.MULTILINE)
    assert needs.Kind.OBJECTIVES in [need.kind for need in needs.now()]


def test_the_late_ones_are_listed_each_with_its_timeline() -> None:
    tell(an_event(17, ago(minutes=10)), after=95)
    tell(an_event(18, ago(minutes=20)), after=5)
    an_event(19, ago(minutes=30))
    roll_up()
    assert [each.subject for each in objectives.late(KIND)] == ["order/17", "order/19"]
    assert len(objectives.late(KIND, limit=1)) == 1

    client: Client = operator(Delivery, Event)
    url = reverse("admin:console_late", args=[KIND])
    page = client.get(url).content.decode()
    assert 'href="/admin/console/timeline/order/17/"' in page
    assert "1 min 35 s" in page
    assert "not told" in page
    assert "order/18" not in page
    assert client.get(reverse("admin:console_late", args=["order.paid"])).status_code == 404
    assert client.post(url).status_code == 405


def many_rows() -> None:
    """Of each table that is read, with statistics of their own."""
    numbers = range(800)
    moments = [ago(seconds=100 * number) for number in numbers]
    events = Event.objects.bulk_create(
        Event(
            type=(KIND, "order.shipped")[number % 2],
            source="urn:test",
            subject=f"order/{number}",
            time=moments[number],
            recorded_at=moments[number],
            expected=["email", "push"],
        )
        for number in numbers
    )
    deliveries = Delivery.objects.bulk_create(
        Delivery(
            event=event, event_type=event.type, event_time=event.time, subject=event.subject,
            channel="email", route="customer", recipient="customer/42", state="sent",
        )
        for event in events
    )  # fmt: skip
    Attempt.objects.bulk_create(
        Attempt(delivery=delivery, subject=delivery.subject, number=1, outcome="sent",
                token=uuid4(), finished_at=delivery.event_time)
        for delivery in deliveries
    )  # fmt: skip
    Dispatch.objects.bulk_create(
        Dispatch(event=event, subject=event.subject, kind="topic", destination="order-events")
        for event in events
    )
    Handled.objects.bulk_create(
        Handled(consumer="email", event_id=event.pk, outcome="done") for event in events
    )
    analyze(Event, Delivery, Attempt, Dispatch, Handled)


def test_it_reads_no_table_as_a_whole() -> None:
    many_rows()
    as_with_many_more()
    read: list[str] = []

    def explained(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if JUDGED in sql and not sql.startswith("EXPLAIN"):
            context["cursor"].execute(f"EXPLAIN {sql}", params)
            read.extend(row[0] for row in context["cursor"].fetchall())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explained):
        objectives.roll_up(using="default", go_on=iter([True, False]).__next__)

    plan = "\n".join(read)
    for table in ("event", "delivery", "attempt", "dispatch", "handled"):
        assert f"Seq Scan on notifications_{table}" not in plan
    for index in ("event_by_", "delivery_once", r"\w*attempt_"):
        assert re.search(f"Index (Only )?Scan (using|on) {index}", plan), plan
    assert "dispatch_once_more" not in plan, "of one event, and not of one reason"


def test_minutes_are_kept_for_days_and_hours_for_the_longest_window() -> None:
    for width, days in ((BY_MINUTE, 2), (BY_MINUTE, 4), (BY_HOUR, 30), (BY_HOUR, 32)):
        Punctuality.objects.create(
            width=width, event_type=KIND, start=ago(days=days), computed_at=timezone.now()
        )
    retention.sweep()
    assert sorted(Punctuality.objects.values_list("width", flat=True)) == [BY_MINUTE, BY_HOUR]


def test_a_channel_of_partners_and_a_digest_tell_no_customer(declared: Any) -> None:
    digest = Digest("orders.daily", at="08:00")
    routes = (Route("email"), Route("push", digest=digest), Route("webhook"), Route("sms", "boss"))
    some = Objective(0.95, WITHIN)
    declared(some, *routes)
    assert objectives.channels_of(KIND, some) == ("email",)
    named = replace(some, channels=("webhook",))
    assert objectives.channels_of(KIND, named) == ("webhook",)
    assert objectives.channels_of(KIND, replace(some, route="boss")) == ("sms",)
