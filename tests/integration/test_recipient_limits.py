"""A recipient is told so much an hour and no more; what is beyond comes when there is room."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from notifications import recipient_limits
from notifications.channels.base import Accepted, Message
from notifications.channels.memory import MemoryChannel
from notifications.deliveries import deliver
from notifications.envelope import Envelope
from notifications.exceptions import TransientError
from notifications.models import Attempt, Delivery, Dispatch, Event
from notifications.models.throttle import LOOK
from notifications.recipient_limits import REASON, RecipientLimit
from tests.integration.letters import ANN, BEN, POLICY, Town, letter, request_for
from tests.integration.together import all_at_once
from tests.plans import analyze, many_deliveries, plan_of

pytestmark = pytest.mark.django_db(transaction=True)

State = Delivery.State


@pytest.fixture(autouse=True)
def two_an_hour(town: Town, settings: Any) -> None:
    """Over email; over sms, as many as there are."""
    channels = settings.NOTIFICATIONS["CHANNELS"]
    email = replace(channels["email"], recipient_limit="2/h")
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "CHANNELS": {**channels, "email": email}}


def happened() -> Envelope:
    """An event that is on record."""
    envelope = letter()
    Event.objects.keep(envelope)
    return envelope


def tell(envelope: Envelope, channel: str = "email", queue: str = "email") -> None:
    deliver(envelope, channel=channel, policy=POLICY, queue=queue)


def tell_of(number: int, **words: str) -> list[Envelope]:
    envelopes = [happened() for _ in range(number)]
    for envelope in envelopes:
        tell(envelope, **words)
    return envelopes


def sent(channel: str = "email") -> int:
    return len(MemoryChannel.outbox(channel))


def let_pass(length: timedelta) -> None:
    """All that has happened happened so much earlier."""
    Delivery.objects.update(sent_at=F("sent_at") - length, next_try_at=F("next_try_at") - length)
    Dispatch.objects.update(available_at=F("available_at") - length)


def due_at(envelope: Envelope) -> datetime:
    moment = Delivery.objects.get(event_id=envelope.id).next_try_at
    assert moment is not None
    return moment


def test_what_is_beyond_the_limit_waits_without_an_attempt_and_a_dispatch_brings_it() -> None:
    *_, third = tell_of(3)

    waiting = Delivery.objects.get(event_id=third.id)
    dispatch = Dispatch.objects.get()
    assert sent() == 2
    assert (waiting.state, waiting.reason, waiting.attempts) == ("pending", "recipient_limit", 0)
    assert not Attempt.objects.filter(delivery=waiting).exists()
    assert (dispatch.reason, dispatch.kind, dispatch.destination) == ("throttled", "queue", "email")
    assert dispatch.available_at == waiting.next_try_at
    first_sent = Delivery.objects.filter(sent_at__isnull=False).earliest("sent_at").sent_at
    assert dispatch.available_at == first_sent + timedelta(hours=1)


def test_when_there_is_room_it_is_sent() -> None:
    *_, third = tell_of(3)

    let_pass(timedelta(hours=1, seconds=1))
    tell(third)

    delivery = Delivery.objects.get(event_id=third.id)
    assert (delivery.state, delivery.reason, delivery.attempts) == ("sent", "", 1)
    assert sent() == 3


def test_a_message_that_comes_again_meanwhile_does_not_double_the_dispatch() -> None:
    *_, third = tell_of(3)

    tell(third)
    tell(third)

    assert Dispatch.objects.count() == 1
    assert sent() == 2


def test_each_that_waits_waits_for_a_place_of_its_own() -> None:
    waiting = tell_of(6)[2:]

    hours = [round((due_at(each) - timezone.now()) / timedelta(hours=1)) for each in waiting]

    assert hours == [1, 1, 2, 2]


def test_what_came_from_the_bulk_queue_goes_back_there() -> None:
    tell_of(3, queue="email-bulk")

    assert Dispatch.objects.get().destination == "email-bulk"


def test_each_recipient_has_a_limit_of_its_own(town: Town) -> None:
    tell_of(2)
    town.people = [ANN, BEN]

    tell_of(1)

    states = dict(Delivery.objects.order_by("created_at").values_list("recipient", "state"))
    assert states == {ANN.reference: State.PENDING, BEN.reference: State.SENT}


def test_another_channel_has_a_limit_of_its_own_or_none() -> None:
    tell_of(2)

    tell_of(5, channel="sms", queue="sms")

    assert sent("sms") == 5


def test_what_a_provider_did_not_take_does_not_count(town: Town) -> None:
    def fail(message: Message) -> Accepted:
        raise TransientError("not now", "throttled")

    town.on_send = fail
    for _ in range(2):
        with pytest.raises(TransientError):
            tell(happened())
    town.on_send = None

    tell_of(2)

    assert sent() == 2


def test_what_may_have_been_sent_counts(town: Town) -> None:
    tell_of(1)
    Delivery.objects.update(state=State.UNKNOWN, sent_at=None, updated_at=Now())

    tell_of(2)

    assert sent() == 2
    assert Dispatch.objects.count() == 1


def test_what_is_being_sent_counts_however_long_ago_it_began() -> None:
    tell_of(2)
    past = Now() - timedelta(days=9)
    Delivery.objects.update(state=State.SENDING, sent_at=None, updated_at=past)

    tell_of(1)

    assert Delivery.objects.filter(state=State.PENDING).count() == 1


def test_what_waits_keeps_its_place_however_long_it_has_waited() -> None:
    waiting = tell_of(4)[2:]
    Delivery.objects.filter(state=State.PENDING).update(updated_at=Now() - timedelta(days=9))

    (fifth,) = tell_of(1)

    assert due_at(fifth) == due_at(waiting[0]) + timedelta(hours=1)


def test_what_ended_before_the_window_counts_no_more() -> None:
    tell_of(2)
    past = Now() - timedelta(hours=1, seconds=1)
    Delivery.objects.update(sent_at=past, updated_at=past)

    tell_of(2)

    assert sent() == 4


@pytest.mark.parametrize("age", [timedelta(minutes=90), timedelta(hours=3), timedelta(days=40)])
def test_what_was_sent_long_after_it_was_made_counts(age: timedelta) -> None:
    """It was tried again for hours, or resent."""
    tell_of(2)
    Delivery.objects.update(created_at=Now() - age)

    tell_of(1)

    assert sent() == 2


def test_of_whom_much_was_told_before_only_the_latest_is_read() -> None:
    """A partner's endpoint: all that it was posted in a year."""
    many_deliveries(states=["sent"])
    long_ago = F("created_at") - timedelta(days=9)
    Delivery.objects.update(
        recipient=ANN.reference, created_at=long_ago, sent_at=long_ago, updated_at=long_ago
    )
    analyze(Delivery)
    request = request_for(happened())

    plan = plan_of(
        LOOK, {**vars(request), "reason": REASON, "most": 2, "window": timedelta(hours=1)}
    )

    assert "Seq Scan" not in plan
    assert {"delivery_in_hand", "delivery_told_late"} <= set(re.findall(r"using (\w+)", plan))


def test_who_has_opted_out_is_skipped_at_once(town: Town) -> None:
    tell_of(2)
    town.people = [replace(ANN, opted_out=True)]

    (third,) = tell_of(1)

    assert Delivery.objects.get(event_id=third.id).state == State.SKIPPED


def test_of_many_at_once_no_two_get_the_last_place() -> None:
    envelopes = [happened() for _ in range(10)]

    all_at_once([partial(tell, envelope) for envelope in envelopes])

    assert sent() == 2
    assert Delivery.objects.filter(state=State.SENT).count() == 2
    assert Delivery.objects.filter(state=State.PENDING).count() == 8
    assert Dispatch.objects.count() == 8


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        ("2/m", RecipientLimit(2, timedelta(minutes=1))),
        ("5/h", RecipientLimit(5, timedelta(hours=1))),
        ("20/d", RecipientLimit(20, timedelta(days=1))),
        ("", None),
    ],
)
def test_the_words_of_a_limit(words: str, limit: RecipientLimit | None) -> None:
    assert recipient_limits.parse(words) == limit


@pytest.mark.parametrize("words", ["5", "0/h", "5/s", "h", "5/hour", "-1/d", "1.5/h"])
def test_what_is_no_limit_is_refused_with_the_words_that_are_one(words: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="per minute, hour or day"):
        recipient_limits.parse(words)
