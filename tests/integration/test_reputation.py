"""A channel of which too much comes back is paused, until somebody has looked."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from notifications import housekeeping, pauses, reputation
from notifications.conf import Reputation
from notifications.models import Delivery, Event, Pause, Receipt

pytestmark = pytest.mark.django_db

BOUNDS = Reputation(bounce_rate=0.05, complaint_rate=0.01, least_sends=100, least_cases=3)
EMAIL = (Pause.Kind.CHANNEL, "email")


@pytest.fixture(autouse=True)
def _bounds(settings: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"REPUTATION": BOUNDS}


@pytest.fixture
def send() -> Callable[..., list[Delivery]]:
    """`send(100, bounced=6)`: so many, of which the first came back so."""
    event = Event.objects.create(
        type="order.created", source="urn:test", subject="order/1", time=timezone.now(), data={}
    )

    def send(
        count: int, *, channel: str = "email", provider: str = "ses", hours: float = 0, **kinds: int
    ) -> list[Delivery]:
        at = timezone.now() - timedelta(hours=hours)
        sent = Delivery.objects.bulk_create(
            Delivery(
                event=event,
                event_type=event.type,
                event_time=at,
                subject=event.subject,
                channel=channel,
                route="customer",
                recipient=f"customer/{uuid4()}",
                state="sent",
                provider=provider,
                sent_at=at,
                created_at=at,
            )
            for _ in range(count)
        )
        for kind, times in kinds.items():
            Receipt.objects.bulk_create(
                Receipt(
                    id=uuid4(),
                    delivery=delivery,
                    subject=event.subject,
                    number=1,
                    provider=provider,
                    kind=kind,
                    code="Permanent.General" if kind == "bounced" else "",
                    occurred_at=at,
                    received_at=at,
                )
                for delivery in sent[:times]
            )
        return sent

    return send


def watch() -> int:
    return reputation.watch(using="default", go_on=lambda: True)


def paused() -> dict[str, str]:
    return dict(Pause.objects.in_force().values_list("name", "reason"))


@pytest.mark.parametrize(
    ("count", "kinds", "why"),
    [
        (100, {"bounced": 5}, ""),
        (100, {"bounced": 6}, "6 hard bounces of 100 sent (6.00%; 5.00% at most) through ses"),
        (300, {"complained": 3}, ""),
        (299, {"complained": 3}, "3 complaints of 299 sent (1.00%; 1.00% at most) through ses"),
        (99, {"bounced": 50}, ""),  # too few to say
        (100, {"complained": 2}, ""),
        (100, {"soft_bounced": 60}, ""),
        (100, {"delivered": 100, "opened": 90}, ""),
    ],
)
def test_above_the_bounds_the_channel_is_paused_and_says_why(
    send: Any, count: int, kinds: dict[str, int], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "notifications")
    send(count, **kinds)
    send(100, channel="sms", provider="aws-sms")
    assert watch() == bool(why)
    assert paused() == ({"email": why} if why else {})
    assert ("email is paused" in caplog.text) == bool(why)
    caplog.clear()
    assert (watch(), caplog.text) == (0, "")


def test_it_stays_paused_until_somebody_lets_it_go_on_and_then_counts_anew(send: Any) -> None:
    send(100, bounced=50)
    assert watch() == 1
    assert Pause.objects.get().paused_by == "reputation"
    pauses.resume(*EMAIL, by="ann")
    assert watch() == 0
    send(100, bounced=5)
    assert watch() == 0
    send(1, bounced=1)
    assert watch() == 1
    assert Pause.objects.count() == 2


def test_what_bounces_late_of_what_was_sent_before_is_not_counted_again(send: Any) -> None:
    early = send(100, bounced=50)
    watch()
    pauses.resume(*EMAIL, by="ann")
    send(100)
    Receipt.objects.filter(delivery__in=early).update(received_at=timezone.now())
    assert watch() == 0


def test_a_channel_that_an_operator_has_paused_is_left_as_it_is(send: Any) -> None:
    pauses.pause(*EMAIL, by="ann", reason="a new template")
    send(100, bounced=50)
    assert watch() == 0
    assert paused() == {"email": "a new template"}


def test_only_the_window_counts_and_each_provider_by_itself(send: Any) -> None:
    send(100, bounced=50, hours=25)
    send(200, provider="ses")
    assert watch() == 0
    send(100, provider="other", bounced=6)
    assert watch() == 1
    assert paused()["email"].endswith("through other")


def test_what_the_provider_never_sent_counts_for_nothing(send: Any) -> None:
    """SES does not count what it knew would bounce."""
    send(100, bounced=50)
    Receipt.objects.update(code="Permanent.OnAccountSuppressionList")
    assert watch() == 0


def test_a_message_that_is_told_of_twice_is_one_case(send: Any) -> None:
    [*sent] = send(100, bounced=3)
    for delivery in sent[:3]:
        Receipt.objects.create(
            id=uuid4(),
            delivery=delivery,
            subject="order/1",
            number=1,
            provider="ses",
            kind="bounced",
            occurred_at=timezone.now(),
        )
    assert watch() == 0


def test_no_more_messages_are_counted_than_it_takes_to_know(send: Any) -> None:
    send(500, bounced=4)
    [found] = reputation.cases("email")
    with CaptureQueriesContext(connection) as asked:
        assert reputation.verdict(found) == ""
    [query] = asked.captured_queries
    assert "LIMIT 100" in query["sql"]


def test_where_nothing_came_back_no_message_is_looked_at(send: Any) -> None:
    send(10)
    with CaptureQueriesContext(connection) as asked:
        watch()
    assert not any(
        "COUNT" in query["sql"] and "notifications_receipt" not in query["sql"]
        for query in asked.captured_queries
    )


def test_the_relays_watch() -> None:
    assert reputation.watch in {chore.run for chore in housekeeping.OWN}


def test_the_command_shows_the_rates(send: Any) -> None:
    send(200, bounced=4, soft_bounced=10, complained=1)
    out = StringIO()
    call_command("reputation", stdout=out)
    [line] = [line for line in out.getvalue().splitlines() if line.startswith("email")]
    assert line.split()[1] == "ses"
    assert "200   4 (2.00%)  10 (5.00%)  1 (0.50%)" in line
    assert "At most 5.00% hard bounces and 1.00% complaints in 24 h" in out.getvalue()
    out = StringIO()
    pauses.pause(*EMAIL, by="ann")
    call_command("reputation", "--json", stdout=out)
    found = {row["channel"]: row for row in json.loads(out.getvalue())["rates"]}
    assert found["email"]["bounce_rate"] == 0.02
    assert (found["email"]["sent"], found["email"]["paused_by"]) == (200, "ann")
    assert (found["sms"]["sent"], found["sms"]["bounce_rate"]) == (0, None)


def test_the_page_of_the_providers_tells_what_came_back_and_that_it_paused(
    send: Any, admin_client: Client
) -> None:
    page = reverse("admin:console_providers")
    assert (
        "Nothing within 24 h, or since its channel was resumed."
        in admin_client.get(page).content.decode()
    )
    send(200, bounced=12, complained=1)
    send(99, channel="sms", provider="aws-sms", bounced=1)
    assert watch() == 1

    [mail, text] = admin_client.get(page).context["returned"]
    assert (mail.provider, mail.bounces, mail.bounce_rate) == ("ses", 12, "6.00%")
    assert (mail.complaints, mail.complaint_rate) == (1, "0.50%")
    assert "state=bounced%2Ccomplained" in str(mail.channel)
    assert "12 hard bounces of 200 sent" in mail.held[0].words
    assert (text.bounces, text.bounce_rate, text.held) == (1, "", ()), "of too few, no rate"
