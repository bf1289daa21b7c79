"""At night nobody is disturbed: what comes then is told in the morning of the recipient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from notifications import deliveries, events, suppressions
from notifications.channels.memory import MemoryChannel
from notifications.conf import Category, Fallback, QuietHours, Route
from notifications.envelope import Envelope
from notifications.models import Attempt, Delivery, Dispatch, Event
from notifications.models.claim import ClaimRequest
from notifications.models.wait import QUIET_HOURS, put_off
from notifications.timeline import timeline
from tests.integration.letters import ANN, BEN, POLICY, Town, letter

pytestmark = pytest.mark.django_db

State = Delivery.State


def around_now(**spread: int) -> QuietHours:
    """Hours by the clocks of UTC that began an hour ago, and last two more."""
    now = datetime.now(UTC)
    begin, end = now - timedelta(hours=1), now + timedelta(hours=2)
    return QuietHours(f"{begin:%H:%M}", f"{end:%H:%M}", **spread)


def elsewhere(hours: int) -> str:
    """A zone whose clocks are so many hours ahead of UTC's."""
    return f"Etc/GMT{-hours:+d}"


@pytest.fixture(autouse=True)
def night(town: Town, settings: Any) -> None:
    """For email, where clocks show what UTC's do; sms may come at any time."""
    settings.TIME_ZONE = "UTC"
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "QUIET_HOURS": {"email": around_now()}}


def happened(**given: Any) -> Envelope:
    """An event that is on record."""
    envelope = letter(**given)
    Event.objects.keep(envelope)
    return envelope


def tell(envelope: Envelope, channel: str = "email", queue: str = "email") -> None:
    deliveries.deliver(envelope, channel=channel, policy=POLICY, queue=queue)


def of(envelope: Envelope, recipient: str = ANN.reference) -> Delivery:
    return Delivery.objects.get(event_id=envelope.id, recipient=recipient)


def sent(channel: str = "email") -> list[str]:
    return [message.address for message in MemoryChannel.outbox(channel)]


def let_morning_come(settings: Any) -> None:
    """The hours are over, and what waited for their end is due."""
    past = timezone.now() - timedelta(hours=3)
    Delivery.objects.filter(state=State.PENDING).update(next_try_at=past)
    Dispatch.objects.update(available_at=past)
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "QUIET_HOURS": {}}


def test_at_night_it_waits_without_an_attempt_and_a_dispatch_brings_it() -> None:
    envelope = happened()

    tell(envelope)

    waiting, dispatch = of(envelope), Dispatch.objects.get()
    assert sent() == []
    assert (waiting.state, waiting.reason, waiting.attempts) == ("pending", "quiet_hours", 0)
    assert not Attempt.objects.exists()
    assert (dispatch.reason, dispatch.kind, dispatch.destination) == (
        "quiet_hours",
        "queue",
        "email",
    )
    assert dispatch.available_at == waiting.next_try_at
    left = waiting.next_try_at - timezone.now()
    assert timedelta(hours=1, minutes=58) < left < timedelta(hours=2, minutes=16)


def test_in_the_morning_it_is_told(settings: Any) -> None:
    envelope = happened()
    tell(envelope)

    let_morning_come(settings)
    tell(envelope)

    assert (of(envelope).state, of(envelope).reason, of(envelope).attempts) == ("sent", "", 1)
    assert sent() == [ANN.address]


def test_in_the_morning_it_is_decided_again(town: Town, settings: Any) -> None:
    envelope = happened()
    tell(envelope)

    let_morning_come(settings)
    town.untrue = "the order was cancelled"
    tell(envelope)

    assert of(envelope).state == State.SKIPPED
    assert of(envelope).reason == "no_longer_true: the order was cancelled"
    assert sent() == []


def test_a_message_that_comes_again_meanwhile_does_not_double_the_dispatch() -> None:
    envelope = happened()

    for _ in range(3):
        tell(envelope)

    assert Dispatch.objects.count() == 1
    assert sent() == []


def test_other_channels_are_not_held_back() -> None:
    tell(happened(), channel="sms", queue="sms")

    assert sent("sms") == [ANN.address]


@pytest.mark.parametrize(
    ("zone", "is_told"), [("", False), ("Mars/Olympus", False), ("there", True)]
)
def test_it_is_night_where_the_recipient_lives(town: Town, zone: str, is_told: bool) -> None:
    """Where nobody knows, by the shop's clock."""
    town.people = [replace(ANN, time_zone=elsewhere(6) if zone == "there" else zone)]

    tell(happened())

    assert bool(sent()) is is_told


def test_each_recipient_has_a_night_of_their_own_and_the_others_are_told(town: Town) -> None:
    town.people = [ANN, replace(BEN, time_zone=elsewhere(6))]
    envelope = happened()

    tell(envelope)

    assert sent() == [BEN.address]
    assert of(envelope).state == State.PENDING
    assert of(envelope, BEN.reference).state == State.SENT


def test_all_places_of_a_person_are_told_at_once_by_one_dispatch(town: Town, settings: Any) -> None:
    places = [f"{ANN.reference}/device/{number}" for number in (1, 2, 3)]
    town.people = [replace(ANN, reference=place, person=ANN.reference) for place in places]
    town.people.append(BEN)
    envelope = happened()

    tell(envelope)

    moments = {of(envelope, place).next_try_at for place in places}
    assert len(moments) == 1
    assert of(envelope, BEN.reference).next_try_at not in moments
    assert Dispatch.objects.count() == 2

    let_morning_come(settings)
    for _ in Dispatch.objects.all():
        tell(envelope)
    assert len(sent()) == 4


def test_who_moved_into_another_zone_meanwhile_is_told_when_the_message_comes(
    town: Town,
) -> None:
    envelope = happened()
    tell(envelope)

    Delivery.objects.update(next_try_at=timezone.now() - timedelta(hours=1))
    town.people = [replace(ANN, time_zone=elsewhere(6))]
    tell(envelope)

    assert sent() == [ANN.address]


def test_where_it_is_night_again_when_the_message_comes_it_waits_once_more() -> None:
    envelope = happened()
    tell(envelope)

    Delivery.objects.update(next_try_at=timezone.now() - timedelta(hours=1))
    Dispatch.objects.update(state=Dispatch.State.PUBLISHED)
    tell(envelope)

    assert sent() == []
    assert of(envelope).next_try_at > timezone.now()
    assert Dispatch.objects.filter(state=Dispatch.State.WAITING).count() == 1


def test_what_is_urgent_wakes(declared: Callable[..., None]) -> None:
    declared(urgent=True)

    tell(happened())

    assert sent() == [ANN.address]


def test_what_must_be_told_and_would_be_too_late_in_the_morning_is_told_at_night(
    declared: Callable[..., None],
) -> None:
    declared(worth_sending_for=timedelta(hours=1))

    tell(happened())

    assert sent() == [ANN.address]


def test_what_need_not_be_told_waits_though_it_will_be_too_late(
    declared: Callable[..., None], settings: Any
) -> None:
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "CATEGORIES": {"offers": Category("Offers")},
    }
    declared(worth_sending_for=timedelta(hours=1), category="offers")

    tell(happened())

    assert sent() == []


@pytest.mark.parametrize(
    ("person", "reason"),
    [(replace(ANN, opted_out=True), "opted_out"), (replace(ANN, address=""), "no_address")],
)
def test_who_would_not_be_told_anyway_is_skipped_at_once(
    town: Town, person: Any, reason: str
) -> None:
    town.people = [person]
    envelope = happened()

    tell(envelope)

    assert (of(envelope).state, of(envelope).reason) == ("skipped", reason)


def test_whose_address_is_suppressed_is_skipped_at_once() -> None:
    suppressions.suppress(channel="email", address=ANN.address, reason="hard_bounce")
    envelope = happened()

    tell(envelope)

    assert of(envelope).state == State.SKIPPED
    assert not Dispatch.objects.exists()


def test_the_steps_of_a_fallback_come_one_after_another_in_the_morning(settings: Any) -> None:
    night = settings.NOTIFICATIONS["QUIET_HOURS"]["email"]
    rule = Fallback(("email", "sms"), within=timedelta(minutes=30))
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "QUIET_HOURS": {"email": night, "sms": night},
        "ROUTES": {"order.created": [rule]},
    }
    envelope = happened()
    Event.objects.update(recorded_at=timezone.now() - timedelta(minutes=20))

    tell(envelope)
    tell(envelope, channel="sms", queue="sms")

    moments = dict(Delivery.objects.values_list("channel", "next_try_at"))
    assert moments["sms"] - moments["email"] == timedelta(minutes=15)
    assert sent() == sent("sms") == []


def test_a_step_that_would_come_in_the_night_after_comes_at_its_end(settings: Any) -> None:
    """Or it would be put off by as much again each night, and never told."""
    night = settings.NOTIFICATIONS["QUIET_HOURS"]["email"]
    settings.NOTIFICATIONS = {
        **settings.NOTIFICATIONS,
        "QUIET_HOURS": {"email": night, "sms": night},
        "ROUTES": {"order.created": [Fallback(("email", "sms"), within=timedelta(hours=44))]},
    }
    envelope = happened()
    Event.objects.update(recorded_at=timezone.now() - timedelta(hours=22))

    tell(envelope)
    tell(envelope, channel="sms", queue="sms")

    moments = dict(Delivery.objects.values_list("channel", "next_try_at"))
    assert moments["sms"] - moments["email"] == timedelta(days=1)


@pytest.mark.parametrize(("override", "told"), [("", 1), ("ada: they asked for it", 2)])
def test_a_resend_waits_for_the_morning_unless_the_operator_insists(
    settings: Any, override: str, told: int
) -> None:
    quiet = settings.NOTIFICATIONS["QUIET_HOURS"]
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "QUIET_HOURS": {}}
    envelope = happened()
    tell(envelope)
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "QUIET_HOURS": quiet}

    Delivery.objects.all().reopen(generation=1, override=override)
    tell(replace(envelope, generation=1), queue="email-bulk")

    assert len(sent()) == told
    assert [each.destination for each in Dispatch.objects.all()] == ["email-bulk"] * (2 - told)


def test_by_the_databases_clock_the_morning_has_come_and_nothing_is_put_off() -> None:
    """Though a worker's clock is slow: it would go round in circles until that is right."""
    request = ClaimRequest.of(
        happened(),
        channel="email",
        route=Route("email"),
        recipient=ANN,
        lease=timedelta(),
        task_id=None,
        worker="",
    )
    ended = timezone.now() - timedelta(minutes=1)

    assert put_off(request, until=ended, reason=QUIET_HOURS, using="default") is None
    assert not Delivery.objects.exists()


def test_who_looks_sees_until_when_it_waits_and_why() -> None:
    envelope = happened()
    Event.objects.update(expected=["email"])
    tell(envelope)

    found = timeline("order/7")

    until = f"{timezone.localtime(of(envelope).next_try_at):%Y-%m-%d %H:%M}"
    said = f"waits until {until}: quiet hours"
    assert found.completeness.words(found.at) == f"0 of 1; email is under way ({said})"
    assert any(said in entry.detail for entry in found.entries)
    assert any("recipient's quiet hours" in entry.detail for entry in found.entries)


@pytest.fixture
def declared() -> Any:
    """`declared(urgent=True)`: the event that is told is of that kind."""
    known = events.newest("order.created")

    def declare(**given: Any) -> None:
        events._registry["order.created", 1] = replace(known, **given)

    yield declare
    events._registry["order.created", 1] = known


def test_who_is_gone_in_the_morning_is_skipped_and_waits_no_longer(
    town: Town, settings: Any
) -> None:
    envelope = happened()
    tell(envelope)
    town.people = []
    tell(envelope)
    assert of(envelope).state == State.PENDING, "its own message is still to come"

    let_morning_come(settings)
    tell(envelope)

    gone = of(envelope)
    assert (gone.state, gone.reason, gone.next_try_at) == (
        State.SKIPPED,
        "no_longer_named",
        None,
    )
