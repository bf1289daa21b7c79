"""Announcements: an audience becomes events and dispatches, batch by batch, each person once."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from math import inf, nan
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Count, F, Func, TextField, Value
from django.db.models.functions import Now

from notifications import audiences, decision, expansion, outbox, pace, progress
from notifications import envelope as wire
from notifications.announcements import (
    Refused,
    begin,
    cancel,
    change_rate,
    pause,
    resume,
    try_out,
    wish,
)
from notifications.audiences import Audience
from notifications.conf import Fallback
from notifications.consumers import get
from notifications.expansion import BATCH, FEWEST, StandsStill, advance, step
from notifications.models import Announcement, Delivery, Dispatch, Event, Lot
from notifications.pauses import put_off
from notifications.recipients import Recipient
from notifications.testing import InProcess, deliver_in_process
from notifications.timeline import timeline
from orders_site.customers.models import Customer
from tests.benchmarks.expansion import SETTLE
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db

OFFER = {"percent_off": 20, "until": "2199-12-31", "code": "PINE20"}
_PEOPLE = """
    INSERT INTO customers_customer (
        first_name, last_name, email, phone, whatsapp, country, locale, time_zone,
        email_consent, sms_consent, whatsapp_consent, push_consent
    )
    SELECT 'Ada', %s, 'ada-' || %s::int || '-' || n || '@example.org', '', '', '', 'en', 'UTC',
        TRUE, FALSE, FALSE, FALSE
    FROM generate_series(1, %s) AS n
"""
CHANNELS = ["email", "sms", "whatsapp", "push"]


def people(count: int) -> list[Customer]:
    """Customers who take mail alone, in one statement."""
    return Customer.objects.bulk_create(
        Customer(first_name="Ada", last_name=str(n), email=f"ada-{n}@example.org")
        for n in range(count)
    )


def announce(audience: str = "customers", **given: Any) -> Announcement:
    rate = given.pop("rate", None)
    wanted = wish("shop.news", audience=audience, data=OFFER, **given)
    return begin(wanted, by="ada", reason="the spring sale", rate=rate)


def expand(times: int = 1_000_000) -> int:
    """So many steps, if there are as many."""
    left = iter(range(times))
    return advance(using="default", go_on=lambda: next(left, None) is not None)


def look_now() -> None:
    """Every lot is due, as it is after some seconds."""
    Lot.objects.update(look_at=Now() - timedelta(seconds=1))


def published(*, days_ago: int) -> None:
    """Every message has lain on its queue since then."""
    Dispatch.objects.update(state="published", published_at=Now() - timedelta(days=days_ago))


def tell(told: InProcess) -> None:
    told.run()
    look_now()
    expand()


@pytest.fixture
def twice() -> Iterator[str]:
    """An audience with a row for each device, so with some people twice."""
    from orders_site.customers.models import Device

    name = "devices"
    audiences.register(
        Audience(
            name,
            Device.objects.all,
            person=lambda device: f"customer/{device.customer_id}",
            data=lambda device: {"customer_id": device.customer_id},
        )
    )
    yield name
    audiences.unregister(name)


def test_each_person_has_an_event_and_a_message_on_each_bulk_queue() -> None:
    customers = [a_customer() for _ in range(3)]
    announcement = announce()
    expand()
    events = Event.objects.filter(announcement=announcement)
    assert sorted(events.values_list("subject", flat=True)) == sorted(
        f"customer/{customer.pk}" for customer in customers
    )
    assert {tuple(event.expected) for event in events} == {tuple(CHANNELS)}
    assert {event.data["code"] for event in events} == {"PINE20"}
    dispatches = Dispatch.objects.filter(event__in=events)
    assert dict(dispatches.order_by().values_list("destination").annotate(Count("id"))) == {
        f"{channel}-bulk": 3 for channel in CHANNELS
    }
    assert set(dispatches.values_list("kind", "reason")) == {("queue", "announced")}


def test_everybody_is_told_once_by_each_channel_and_it_says_what_became_of_them(
    sandbox: Any,
) -> None:
    with deliver_in_process() as told:
        reached = [a_customer(devices=2) for _ in range(3)]
        a_customer(sms_consent=False, whatsapp="", push_consent=False)
        announcement = announce()
        tell(told)
    assert sorted(each.address for each in told.by("email") if each.event_type == "shop.news") == (
        sorted(Customer.objects.values_list("email", flat=True))
    )
    assert len(told.by("push")) == 2 * len(reached)
    announcement.refresh_from_db()
    assert announcement.state == Announcement.State.DONE
    assert announcement.people == 4
    counts = {lane.channel: lane.counts for lane in announcement.lanes.all()}
    assert counts == {
        "email": {"sent": 4},
        "sms": {"sent": 3, "skipped:opted_out": 1},
        "whatsapp": {"sent": 3, "skipped:no_address": 1},
        "push": {"sent": 6, "skipped:opted_out": 1},
    }
    assert not Lot.objects.exists()


def test_the_timeline_knows_of_each_channel_whether_its_message_is_out() -> None:
    a_customer()
    announcement = announce(channels=["email", "sms"])
    expand()
    about_email = Dispatch.objects.filter(destination="email-bulk")
    about_email.update(state=Dispatch.State.PUBLISHED, published_at=Now())

    event = Event.objects.get(announcement=announcement)
    found = timeline(event.subject)
    said = found.completeness.words(found.at)

    assert "email has not reported" in said
    assert "sms has been waiting for its publication" in said


def test_it_runs_no_further_ahead_than_what_lies_on_the_queues() -> None:
    people(FEWEST + 2 * BATCH)
    announcement = announce(channels=["email", "sms"])
    expand()
    assert Event.objects.filter(announcement=announcement).count() == FEWEST
    waiting = Dispatch.objects.filter(destination="email-bulk")
    assert waiting.count() == FEWEST
    look_now()
    assert expand() == 0, "nothing was sent, so nothing follows"


def test_a_channel_that_is_away_keeps_no_other_waiting(sandbox: Any) -> None:
    people(FEWEST + BATCH)
    announcement = announce(channels=["email", "sms"])
    expand()
    everybody = Event.objects.filter(announcement=announcement)
    skip(everybody, "sms")
    look_now()
    expand()
    lanes = {lane.channel: lane for lane in announcement.lanes.all()}
    assert (lanes["sms"].position, lanes["email"].position) == (3, 2)
    assert (lanes["sms"].people, lanes["email"].people) == (FEWEST + BATCH, FEWEST)
    assert lanes["sms"].counts == {"skipped:no_address": FEWEST}


def skip(events: Any, channel: str) -> None:
    """As a worker leaves them that came to these."""
    Delivery.objects.bulk_create(
        Delivery(
            event_id=event.pk,
            event_type=event.type,
            event_time=event.time,
            subject=event.subject,
            channel=channel,
            route="customer",
            recipient=event.subject,
            state=Delivery.State.SKIPPED,
            reason="no_address",
        )
        for event in events
    )


def test_a_relay_that_dies_repeats_nobody_and_leaves_nobody_out() -> None:
    people(3 * BATCH)
    announcement = announce(channels=["email"])
    assert step(announcement.pk, using="default")
    with transaction.atomic():
        step(announcement.pk, using="default")
        transaction.set_rollback(True)  # it died before its commit
    for _ in range(4):
        expand()
        skip(Event.objects.filter(deliveries=None, announcement=announcement), "email")
        look_now()
    events = Event.objects.filter(announcement=announcement)
    assert (events.count(), events.values("subject").distinct().count()) == (3 * BATCH, 3 * BATCH)
    assert Dispatch.objects.filter(event__in=events).count() == 3 * BATCH
    announcement.refresh_from_db()
    assert (announcement.state, announcement.people) == ("done", 3 * BATCH)


def test_who_joins_the_audience_during_it_is_not_told() -> None:
    first = people(BATCH + 1)
    announcement = announce(channels=["email"])
    assert step(announcement.pk, using="default")
    late = a_customer()
    expand()
    subjects = set(
        Event.objects.filter(announcement=announcement).values_list("subject", flat=True)
    )
    assert subjects == {f"customer/{customer.pk}" for customer in first}
    assert f"customer/{late.pk}" not in subjects


def test_who_stands_in_two_rows_is_told_once(twice: str) -> None:
    a_customer(devices=3)
    a_customer(devices=1)
    announcement = announce(twice, channels=["push"])
    expand()
    announcement.refresh_from_db()
    assert (announcement.people, announcement.repeated) == (2, 2)
    assert Event.objects.filter(announcement=announcement).count() == 2


def test_at_a_rate_of_its_own_its_messages_are_due_one_after_the_other() -> None:
    people(30)
    announcement = announce(channels=["email"], rate=2.0)
    expand()
    due = list(
        Dispatch.objects.filter(event__announcement=announcement)
        .order_by("available_at")
        .values_list("available_at", flat=True)
    )
    assert len(due) == 20, "a batch lasts ten seconds"
    assert {round((b - a).total_seconds(), 3) for a, b in pairwise(due)} == {0.5}


def test_what_is_paused_takes_nobody_more_and_goes_back_to_the_outbox() -> None:
    people(BATCH + 1)
    announcement = announce(channels=["email"])
    assert step(announcement.pk, using="default")
    pause(announcement.pk, by="grace", reason="a typo")
    assert expand() == 0
    event = Event.objects.filter(announcement=announcement).earliest("id")
    assert put_off(event.envelope(), "email-bulk")
    off = Dispatch.objects.get(reason=Dispatch.Reason.PAUSED)
    assert off.available_at > off.created_at + timedelta(minutes=30)
    resume(announcement.pk, by="grace", reason="mended")
    off.refresh_from_db()
    assert Dispatch.objects.filter(pk=off.pk, available_at__lte=Now()).exists()
    assert not put_off(event.envelope(), "email-bulk")
    expand()
    assert Event.objects.filter(announcement=announcement).count() == BATCH + 1
    assert [(entry.by, entry.text) for entry in announcement.log.order_by("id")][1:3] == [
        ("grace", "paused: a typo"),
        ("grace", "resumed: mended"),
    ]


def test_what_is_cancelled_is_skipped_when_it_comes_and_no_other_announcement(
    sandbox: Any,
) -> None:
    a_customer()
    with deliver_in_process() as told:
        first, second = announce(channels=["email"]), announce(channels=["email"])
        expand()
        cancel(first.pk, by="grace", reason="the wrong code")
        tell(told)
    reasons = Delivery.objects.filter(event__announcement=first).values_list("state", "reason")
    assert list(reasons) == [("skipped", "announcement_cancelled")]
    assert Delivery.objects.get(event__announcement=second).state == Delivery.State.SENT
    first.refresh_from_db()
    assert first.state == Announcement.State.CANCELLED
    assert first.settled_at is not None
    assert first.lanes.get().counts == {"skipped:announcement_cancelled": 1}
    with pytest.raises(Refused, match="is cancelled"):
        resume(first.pk, by="grace")


def test_an_operator_may_resend_what_was_skipped_because_of_the_cancellation() -> None:
    customer = a_customer()
    announcement = announce(channels=["email"])
    expand()
    cancel(announcement.pk, by="grace", reason="the wrong code")
    envelope = Event.objects.get(announcement=announcement).envelope()
    objection = decision.objection(
        envelope, Recipient("customer/1", customer.email), channel="email"
    )
    assert objection == decision.Objection("announcement_cancelled", overridable=True)


def test_other_events_ask_nothing_about_announcements(django_assert_num_queries: Any) -> None:
    an_order()
    envelope = Event.objects.get(type="order.created").envelope()
    assert "announcement" not in wire.write(envelope)
    from notifications import announcement_states

    with django_assert_num_queries(0):
        assert not announcement_states.is_cancelled(envelope)
        assert not announcement_states.is_paused(envelope)


def test_nobody_can_pass_their_event_off_as_part_of_an_announcement() -> None:
    people(1)
    announcement = announce(channels=["email"])
    expand()
    mine = Event.objects.get(announcement=announcement).envelope()
    assert wire.read(wire.write(mine)).announcement == announcement.pk
    theirs = wire.write(mine).replace('"source":"urn:orders-site"', '"source":"urn:elsewhere"')
    assert wire.read(theirs).announcement is None


def test_lag_and_what_consumers_owe_are_told_of_fresh_events_alone() -> None:
    people(3)
    announcement = announce(channels=["email"])
    expand()
    email, ever = get("email"), lambda: True
    assert progress.oldest([email], go_on=ever)["email"].at is None
    events = Event.objects.filter(announcement=announcement)
    skip(events, "email")
    Delivery.objects.update(finished_at=Now())
    Dispatch.objects.filter(event__in=events).update(
        state=Dispatch.State.PUBLISHED, published_at=Now(), kind="topic"
    )
    assert pace.lags([email], timedelta(minutes=15))["email"].count == 0


def test_it_is_tried_out_on_the_first_people_and_nothing_is_done() -> None:
    a_customer(devices=2)
    a_customer(sms_consent=False, push_consent=False)
    trial = try_out(wish("shop.news", audience="customers", data=OFFER))
    assert (trial.people, trial.looked_at) == (2, 2)
    assert trial.told == {"email": 2, "sms": 1, "whatsapp": 2, "push": 2}
    assert trial.excluded["sms"] == {"opted_out": 1}
    assert not Announcement.objects.exists()
    assert not Event.objects.filter(type="shop.news").exists()


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"event_type": "shop.gossip"}, "shop.gossip is not registered here"),
        ({"audience": "martians"}, "No audience is named 'martians'; there are: customers, new"),
        ({"event_type": "stock.low"}, "stock.low is told over no channel"),
        ({"channels": ["pigeon"]}, "not told over pigeon; its channels are email, sms"),
        ({"data": {**OFFER, "percent_off": 0}}, "shop.news v1: percent_off: Input should be"),
        ({"data": {}}, "percent_off: Field required"),
    ],
)
def test_what_cannot_be_announced_is_refused_in_one_line(wanted: dict[str, Any], why: str) -> None:
    a_customer()
    asked = {"event_type": "shop.news", "audience": "customers", "data": OFFER, **wanted}
    with pytest.raises(Refused) as refused:
        begin(wish(asked.pop("event_type"), **asked), by="ada", reason="none")
    assert why in refused.value.message
    assert not Announcement.objects.exists()


@pytest.mark.parametrize("rate", [0, -1.0, 5e-324, 1e-6, 1e7, inf, nan])
def test_a_rate_that_nobody_keeps_is_refused(rate: float) -> None:
    """Of so slow a one the pages could not say how long it takes, nor a relay when it goes on."""
    begun = announce()
    with pytest.raises(Refused, match="the rate must be between one a day and 1,000,000 a second"):
        change_rate(begun.pk, rate, by="ada", reason="slower")
    with pytest.raises(Refused, match="the rate must be between"):
        announce(rate=rate)
    assert Announcement.objects.get().rate is None


def test_an_audience_of_nobody_is_done_at_once() -> None:
    announcement = announce()
    expand()
    announcement.refresh_from_db()
    assert (announcement.state, announcement.people) == ("done", 0)


def test_an_audience_that_raises_pauses_its_announcement_and_no_other(twice: str) -> None:
    a_customer(devices=1)
    broken, sound = announce(twice, channels=["push"]), announce(channels=["email"])
    audiences.unregister(twice)
    expand()
    broken.refresh_from_db()
    assert broken.state == Announcement.State.PAUSED
    assert "No audience is named 'devices'" in broken.log.latest("id").text
    assert Event.objects.filter(announcement=sound).count() == 1
    audiences.register(
        Audience(twice, Customer.objects.all, lambda row: f"customer/{row.pk}", lambda row: {})
    )


def test_an_audience_that_postgresql_takes_too_long_to_read_stands_still_and_no_other() -> None:
    """It is not paused: the database may be slow, and better in a moment. Who looks is told."""
    [customer] = people(1)
    slowly = Func(Value(1.0), function="pg_sleep", output_field=TextField())
    audiences.register(
        Audience(
            "slow",
            lambda: Customer.objects.annotate(slowly=slowly),
            person=lambda row: f"customer/{row.pk}",
            data=lambda row: {"customer_id": row.pk},
        )
    )
    try:
        slow, sound = (announce(name, channels=["email"]) for name in ("slow", "customers"))
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 100")
        with pytest.raises(StandsStill, match=f"announcement {slow.pk} stands still: .* timeout"):
            expand()
    finally:
        audiences.unregister("slow")
    slow.refresh_from_db()
    assert slow.state == Announcement.State.EXPANDING
    assert Event.objects.get(announcement=sound).subject == f"customer/{customer.pk}"


def test_a_row_that_makes_no_event_keeps_nobody_else_from_being_told() -> None:
    customers = people(3)
    audiences.register(
        Audience(
            "some",
            Customer.objects.all,
            person=lambda row: f"customer/{row.pk}",
            data=lambda row: {"customer_id": 0 if row.pk == customers[1].pk else row.pk},
        )
    )
    try:
        announcement = announce("some", channels=["email"])
        expand()
    finally:
        audiences.unregister("some")
    announcement.refresh_from_db()
    assert (announcement.people, announcement.refused, announcement.repeated) == (2, 1, 0)
    assert "customer_id" in announcement.log.latest("id").text


def test_what_is_put_off_for_long_keeps_nobody_waiting() -> None:
    people(FEWEST + BATCH)
    announcement = announce(channels=["email"])
    expand()
    Dispatch.objects.update(available_at=Now() + timedelta(hours=8))
    look_now()
    expand()
    lane = announcement.lanes.get()
    assert (lane.postponed, lane.people) == (FEWEST, FEWEST + BATCH)


def test_what_was_lost_for_two_weeks_is_counted_and_ends_it() -> None:
    people(2)
    announcement = announce(channels=["email"])
    expand()
    published(days_ago=15)
    Lot.objects.update(created_at=F("created_at") - timedelta(days=15))
    look_now()
    expand()
    announcement.refresh_from_db()
    assert announcement.state == Announcement.State.DONE
    assert announcement.lanes.get().counts == {"unaccounted": 2}


def test_what_was_paused_for_weeks_is_not_taken_for_lost(sandbox: Any) -> None:
    with deliver_in_process() as told:
        a_customer()
        announcement = announce(channels=["email"])
        expand()
        pause(announcement.pk, by="grace", reason="a typo")
        Lot.objects.update(created_at=F("created_at") - timedelta(days=15))
        look_now()
        expand()
        resume(announcement.pk, by="grace", reason="mended")
        expand()
        announcement.refresh_from_db()
        assert announcement.state == Announcement.State.SENDING, "it can still be cancelled"
        tell(told)
    announcement.refresh_from_db()
    assert announcement.state == Announcement.State.DONE
    assert announcement.lanes.get().counts == {"sent": 1}


def test_of_weeks_what_lies_on_a_queue_again_is_waited_for() -> None:
    people(3)
    announcement = announce(channels=["email"])
    expand()
    published(days_ago=15)
    again = Event.objects.filter(announcement=announcement).first()
    assert again is not None
    Dispatch.objects.filter(event=again).update(published_at=Now() - timedelta(days=1))
    Lot.objects.update(created_at=F("created_at") - timedelta(days=15))
    look_now()
    expand()
    assert announcement.lanes.get().counts == {"unaccounted": 2}
    assert announcement.lanes.get().under_way == 1


def test_an_event_of_the_same_type_may_still_be_recorded_for_one_person() -> None:
    from orders_site.events import ShopNews

    customer = a_customer()
    with transaction.atomic():
        event = outbox.record(ShopNews(customer_id=customer.pk, **OFFER))
    assert event.announcement_id is None
    assert Dispatch.objects.get(event=event).kind == Dispatch.Kind.TOPIC


@pytest.mark.django_db(transaction=True)
def test_of_two_relays_at_one_announcement_one_takes_the_step() -> None:
    people(1)
    announcement = announce(channels=["email"])
    with transaction.atomic(), ThreadPoolExecutor(1) as other_relay:
        assert Announcement.objects.held(announcement.pk) is not None
        assert other_relay.submit(_step_and_close, announcement.pk).result() is False
    assert step(announcement.pk, using="default")


def _step_and_close(number: int) -> bool:
    try:
        return step(number, using="default")
    finally:
        connection.close()


def test_a_person_has_the_same_event_id_whoever_makes_it() -> None:
    announcement, other = announce(channels=["email"]), announce(channels=["email"])
    mine = expansion.event_id(announcement, "customer/1")
    assert mine == expansion.event_id(announcement, "customer/1")
    assert mine != expansion.event_id(announcement, "customer/2")
    assert mine != expansion.event_id(other, "customer/1")
    assert (mine.version, mine.variant) == (8, "specified in RFC 4122")


def test_six_times_the_people_take_no_more_memory() -> None:
    few, many = (peak_of_expanding(count) for count in (500, 3_000))
    assert many < 1.5 * few, "what is in memory is a page of them"


def peak_of_expanding(count: int) -> int:
    """Bytes at the most while an announcement to so many new people is expanded. What lies on the
    queue is settled at once, by a statement that brings nothing into this process."""
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, [f"of {count}", count, count])
    audiences.register(
        Audience(
            "generated",
            lambda: Customer.objects.filter(last_name=f"of {count}").only("pk"),
            person=lambda row: f"customer/{row.pk}",
            data=lambda row: {"customer_id": row.pk},
        )
    )
    try:
        announcement = announce("generated", channels=["email"])
        tracemalloc.start()
        while announcement.state != Announcement.State.DONE:
            expand()
            with connection.cursor() as cursor:
                cursor.execute(SETTLE)
            look_now()
            announcement.refresh_from_db()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        audiences.unregister("generated")
    assert announcement.people == count
    return peak


def test_of_a_fallback_the_first_channel_is_the_lane_and_the_next_follows_in_bulk(
    settings: Any, sandbox: Any
) -> None:
    rule = Fallback(("push", "email"), within=timedelta(minutes=30))
    routes = {**settings.NOTIFICATIONS["ROUTES"], "shop.news": [rule]}
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "ROUTES": routes}
    a_customer()  # without a device
    with deliver_in_process() as told:
        announcement = announce()
        expand()
        assert announcement.channels == ["push"]
        told.run()
    assert [message.event_type for message in told.by("email")] == ["shop.news"]
    fell_back = Dispatch.objects.get(reason=Dispatch.Reason.FELL_BACK)
    assert fell_back.event.announcement_id == announcement.pk
    assert fell_back.destination == "email-bulk", "also where a receipt calls for it"
