"""Each day's figures are what happened on it, whenever that is heard, however often added up."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from notifications import retention
from notifications.conf import Retention
from notifications.identifiers import uuid7
from notifications.models import Delivery, Event
from orders_site.analytics import chores, days
from orders_site.analytics.consumers import record
from orders_site.analytics.models import DailyFigures, DailyOutcome, RecordedEvent
from tests.integration.letters import letter
from tests.integration.together import at_once

pytestmark = pytest.mark.django_db

NOW = timezone.now


def heard(type: str, *, at: datetime, order: int = 7, **data: Any) -> None:
    """Analytics is told that this happened then."""
    event = replace(
        letter(),
        id=uuid7(),
        type=type,
        subject=f"order/{order}",
        time=at,
        data={"order_id": order, **data},
    )
    record(event)


def roll_up() -> int:
    return chores.roll_up(go_on=lambda: True, using="default")


def figures(day: date) -> DailyFigures:
    return DailyFigures.objects.get(day=day)


def money(day: date) -> dict[str, tuple[int, int, int]]:
    rows = figures(day).money.values_list(
        "currency", "ordered_minor", "revenue_minor", "refunds_minor"
    )
    return {currency: tuple(amounts) for currency, *amounts in rows}


def euros(cents: int) -> dict[str, Any]:
    return {"currency": "EUR", "amount_minor": cents}


def at_noon(day: date) -> datetime:
    return days.bounds(day)[0] + timedelta(hours=12)


@pytest.fixture
def today() -> date:
    return days.today()


@pytest.fixture
def noon(today: date) -> datetime:
    """Of today, in the shop's time zone."""
    return at_noon(today)


def test_a_day_is_added_up(today: date, noon: datetime) -> None:
    for order in (1, 2, 3):
        heard("order.created", at=noon, order=order, total_minor=1000, currency="EUR")
    heard("order.created", at=noon, order=4, total_minor=2980, currency="JPY")
    heard("order.shipped", at=noon, order=1)
    heard("payment.completed", at=noon, order=1, **euros(1000))
    heard("payment.completed", at=noon, order=4, currency="JPY", amount_minor=2980)
    heard("payment.failed", at=noon, order=2, reason="declined")
    heard("order.refunded", at=noon, order=1, **euros(250))

    assert roll_up() == 1

    day = figures(today)
    assert (day.events, day.orders_placed, day.orders_shipped) == (9, 4, 1)
    assert (day.orders_cancelled, day.payments_failed, day.stale) == (0, 1, False)
    assert money(today) == {"EUR": (3000, 1000, 250), "JPY": (2980, 2980, 0)}
    assert roll_up() == 0  # nothing came since


def test_it_comes_out_the_same_however_often(today: date, noon: datetime) -> None:
    heard("order.created", at=noon, total_minor=1000, currency="EUR")
    roll_up()
    before = money(today)
    for _ in range(2):
        call_command("rollup", since=today, stdout=StringIO())
    assert money(today) == before == {"EUR": (1000, 0, 0)}
    assert figures(today).orders_placed == 1


def test_a_late_event_changes_the_day_on_which_it_happened(today: date, noon: datetime) -> None:
    before = today - timedelta(days=3)
    heard("order.created", at=noon)
    heard("order.created", at=at_noon(before))
    assert roll_up() == 2

    heard("order.created", at=at_noon(before), order=8)
    assert roll_up() == 1
    assert (figures(before).orders_placed, figures(today).orders_placed) == (2, 1)


@pytest.mark.parametrize(
    ("zone", "placed"),
    [
        ("Pacific/Auckland", {11: 2, 12: 1}),
        ("UTC", {11: 3}),
        ("America/New_York", {10: 2, 11: 1}),
    ],
)
def test_days_are_those_of_the_shops_time_zone(
    settings: Any, zone: str, placed: dict[int, int]
) -> None:
    settings.TIME_ZONE = zone
    settings.ANALYTICS = {"kept_days": 36500}
    for order, hour in enumerate((1, 2, 12), 1):
        heard("order.created", at=datetime(2026, 3, 11, hour, 30, tzinfo=UTC), order=order)
    roll_up()
    assert {row.day.day: row.orders_placed for row in DailyFigures.objects.all()} == placed


def test_a_day_on_which_clocks_change_has_all_its_hours(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    start, end = days.bounds(date(2026, 10, 25))
    assert end - start == timedelta(hours=25)
    assert days.day_of(end - timedelta(seconds=1)) == date(2026, 10, 25)
    assert days.day_of(end) == date(2026, 10, 26)


def test_what_a_cancelled_order_had_left_is_given_back_on_that_day(
    today: date, noon: datetime
) -> None:
    before = today - timedelta(days=1)
    heard("payment.completed", at=at_noon(before), **euros(1000))
    heard("order.refunded", at=at_noon(before), **euros(300))
    heard("order.cancelled", at=noon)
    heard("order.cancelled", at=noon, order=8)  # nothing was paid
    roll_up()

    assert money(before) == {"EUR": (0, 1000, 300)}
    assert money(today) == {"EUR": (0, 0, 700)}


def test_a_payment_heard_of_after_the_cancellation_changes_the_day_of_that(
    today: date, noon: datetime
) -> None:
    before = today - timedelta(days=1)
    heard("order.cancelled", at=noon)
    roll_up()
    assert money(today) == {}

    heard("payment.completed", at=at_noon(before), **euros(1000))
    assert roll_up() == 2
    assert money(today) == {"EUR": (0, 0, 1000)}


def test_a_refund_without_an_amount_is_of_all_that_is_left(today: date, noon: datetime) -> None:
    heard("payment.completed", at=noon, **euros(1000))
    heard("order.refunded", at=noon, **euros(400))
    heard("order.refunded", at=noon)
    heard("order.cancelled", at=noon)
    roll_up()
    assert money(today) == {"EUR": (0, 1000, 1000)}


def told(channel: str, state: str, *, at: datetime, changed: datetime | None = None) -> Delivery:
    event = Event.objects.create(
        type="order.created", version=1, source="urn:test", subject="order/7", time=at, data={}
    )
    delivery = Delivery.objects.create(
        event_id=event.pk,
        event_type=event.type,
        event_time=event.time,
        subject=event.subject,
        channel=channel,
        recipient="customer/1",
        route="customer",
        state=state,
    )
    Delivery.objects.filter(pk=delivery.pk).update(created_at=at, updated_at=changed or NOW())
    return delivery


def outcomes(day: date) -> dict[tuple[str, str], int]:
    rows = DailyOutcome.objects.filter(figures__day=day)
    return {(row.channel, row.state): row.count for row in rows}


def test_notifications_count_by_channel_and_outcome_on_the_day_they_were_made(
    today: date, noon: datetime
) -> None:
    for state in ("delivered", "delivered", "bounced"):
        told("email", state, at=noon)
    told("sms", "skipped", at=noon)
    told("sms", "sent", at=at_noon(today - timedelta(days=1)))
    heard("order.created", at=noon)
    roll_up()
    assert outcomes(today) == {
        ("email", "delivered"): 2,
        ("email", "bounced"): 1,
        ("sms", "skipped"): 1,
    }


def test_a_receipt_that_comes_days_later_changes_the_day_of_its_notification(
    today: date,
) -> None:
    before = today - timedelta(days=2)
    delivery = told("email", "sent", at=at_noon(before), changed=at_noon(before))
    heard("order.created", at=at_noon(before))
    roll_up()
    look_back = {"go_on": lambda: True, "using": "default"}
    assert chores.look_back(**look_back) == 0

    Delivery.objects.filter(pk=delivery.pk).update(state="bounced", updated_at=NOW())
    assert chores.look_back(**look_back) == 1
    assert roll_up() == 1
    assert outcomes(before) == {("email", "bounced"): 1}


def test_what_became_of_notifications_stays_known_when_they_are_deleted(
    settings: Any, today: date
) -> None:
    before = today - timedelta(days=20)
    told("email", "delivered", at=at_noon(before), changed=at_noon(before))
    heard("order.created", at=at_noon(before))
    roll_up()
    Event.objects.update(recorded_at=at_noon(before))
    kept = Retention(events=5, outcomes=10)
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"RETENTION": kept}
    retention.sweep()
    assert not Delivery.objects.exists()

    heard("order.created", at=at_noon(before), order=8)
    assert roll_up() == 1
    assert figures(before).orders_placed == 2
    assert outcomes(before) == {("email", "delivered"): 1}


@pytest.mark.django_db(transaction=True)
def test_several_relays_at_once_add_up_the_same(today: date, noon: datetime) -> None:
    for order in range(1, 41):
        heard("order.created", at=noon - timedelta(days=order % 4), order=order)

    at_once(roll_up, 4)
    roll_up()

    counted = dict(DailyFigures.objects.values_list("day", "orders_placed"))
    assert counted == {today - timedelta(days=back): 10 for back in range(4)}
    assert not RecordedEvent.objects.not_counted().exists()
    assert not DailyFigures.objects.stale().exists()


def test_events_go_after_their_days_and_the_figures_stay(settings: Any, today: date) -> None:
    old, kept = today - timedelta(days=12), today - timedelta(days=9)
    settings.ANALYTICS = {"kept_days": 30}
    for day in (old, kept):
        heard("order.created", at=at_noon(day))
    roll_up()
    settings.ANALYTICS = {"kept_days": 10}

    assert chores.prune(go_on=lambda: True, using="default") == 1
    assert RecordedEvent.objects.get().time == at_noon(kept)
    heard("order.created", at=at_noon(old), order=8)  # of a day whose events are gone
    assert roll_up() == 0
    assert figures(old).orders_placed == 1


def rollup(*arguments: str) -> str:
    out = StringIO()
    call_command("rollup", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_did(today: date, noon: datetime) -> None:
    heard("order.created", at=noon, total_minor=123450, currency="EUR")
    heard("payment.completed", at=noon, **euros(123450))
    told("email", "delivered", at=noon)

    assert rollup("--dry-run") == f"  {today} would be computed\nNothing was done.\n"
    assert json.loads(rollup("--dry-run", "--json")) == {"would_compute": [str(today)]}
    assert not DailyFigures.objects.exists()
    assert rollup() == (
        f"  {today}: 1 placed, 0 shipped, 0 cancelled; 0 payments failed; revenue €1,234.50; "
        "refunds none; email 1 delivered\n1 day computed\n"
    )
    assert rollup() == "0 days computed\n"
    (said,) = json.loads(rollup("--since", str(today), "--json"))["days"]
    assert (said["day"], said["orders_placed"]) == (str(today), 1)
    assert said["money"]["EUR"]["revenue_minor"] == 123450
    assert said["notifications"] == {"email": {"delivered": 1}}


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ("yesterday", "'yesterday' is no day; write it as 2026-11-25"),
        ("2020-01-01", "--since 2020-01-01: must be a day from"),
        ("2999-01-01", "--since 2999-01-01: must be a day from"),
    ],
)
def test_a_day_that_cannot_be_computed_is_refused_in_a_line(since: str, said: str) -> None:
    with pytest.raises(CommandError) as refused:
        rollup("--since", since)
    assert said in str(refused.value)


def test_the_days_are_readable_in_the_admin(
    admin_client: Client, today: date, noon: datetime
) -> None:
    heard("payment.completed", at=noon, **euros(123450))
    heard("payment.completed", at=noon, order=8, currency="JPY", amount_minor=2980)
    told("email", "delivered", at=noon)
    told("email", "bounced", at=noon)
    roll_up()

    page = "/admin/analytics/dailyfigures/"
    listed = admin_client.get(page).content.decode()
    lines = re.findall(r'<span class="notifications-line">(.*?)</span>', listed)
    assert [*lines[:2], lines[-1]] == ["€1,234.50", "¥2,980", "email: 1 bounced, 1 delivered"]
    found = admin_client.get(page, {"q": str(today)}).content.decode()
    assert "€1,234.50" in found
    assert "€1,234.50" not in admin_client.get(page, {"q": "2020-01-01"}).content.decode()
    day = figures(today)
    change = f"{page}{day.pk}/change/"
    assert "€1,234.50" in admin_client.get(change).content.decode()
    assert admin_client.post(change, {"events": 0}).status_code == 403
