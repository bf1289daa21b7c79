"""Copies, dead senders, late answers and generations: a delivery is sent once all the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from notifications import consumers
from notifications.channels.base import Accepted, Message
from notifications.channels.memory import MemoryChannel
from notifications.exceptions import (
    Busy,
    TransientError,
)
from notifications.models import Attempt, Delivery, Dispatch, Event
from tests.integration.letters import Town, come_due, lapse, letter, tell

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("town")]

State, Outcome = Delivery.State, Attempt.Outcome


@pytest.mark.S4
def test_a_message_received_twice_is_sent_once() -> None:
    event = letter()

    tell(event)
    tell(event)

    assert len(MemoryChannel.outbox("email")) == 1
    assert Attempt.objects.count() == 1


@pytest.mark.S4
def test_a_second_copy_that_arrives_while_the_first_is_being_sent_waits(town: Town) -> None:
    event = letter()
    met: list[Busy] = []

    def receive_again(message: Message) -> Accepted:
        with pytest.raises(Busy) as told:
            tell(event)
        met.append(told.value)
        return Accepted("1")

    town.on_send = receive_again
    tell(event)
    tell(event)

    assert 0 < met[0].seconds <= 30
    assert Delivery.objects.get().state == State.SENT
    assert Attempt.objects.count() == 1


@pytest.mark.S4
def test_when_the_first_sender_of_an_email_died_it_is_sent_again_after_a_wait(town: Town) -> None:
    event = letter()
    _die_while_sending(town, lambda: tell(event))

    with pytest.raises(Busy):
        tell(event)
    lapse()
    with pytest.raises(TransientError) as told:
        tell(event)
    assert told.value.code == "lease_expired"
    assert Delivery.objects.get().state == State.UNKNOWN
    come_due()
    tell(event)

    assert Delivery.objects.get().state == State.SENT
    outcomes = Attempt.objects.order_by("pk").values_list("outcome", "code")
    assert list(outcomes) == [(Outcome.UNKNOWN, "lease_expired"), (Outcome.SENT, "")]


def test_when_the_first_sender_of_a_text_message_died_nobody_sends_it_again(town: Town) -> None:
    event = letter()
    _die_while_sending(town, lambda: tell(event, "sms"))
    lapse()

    tell(event, "sms")
    tell(event, "sms")

    assert (Delivery.objects.get().state, Delivery.objects.get().next_try_at) == (
        State.UNKNOWN,
        None,
    )
    assert not MemoryChannel.outbox("sms")


def test_senders_that_die_again_and_again_are_counted(town: Town) -> None:
    event = letter()
    for _ in range(3):
        _die_while_sending(town, lambda: tell(event))
        lapse()
        try:
            tell(event)
        except TransientError:
            come_due()

    tell(event)

    assert Attempt.objects.count() == 3
    assert (Delivery.objects.get().state, Delivery.objects.get().next_try_at) == (
        State.UNKNOWN,
        None,
    )


def test_a_result_that_comes_after_the_lease_still_counts_if_nobody_took_over(
    town: Town,
) -> None:
    event = letter()

    def dawdle(message: Message) -> Accepted:
        lapse()
        return Accepted("late")

    town.on_send = dawdle
    tell(event)

    assert Delivery.objects.get().provider_message_id == "late"
    assert Delivery.objects.get().state == State.SENT


def test_a_late_result_settles_what_was_taken_for_unknown(town: Town) -> None:
    event = letter()

    def dawdle(message: Message) -> Accepted:
        lapse()
        tell(event, "sms")  # another copy finds the lease at its end
        assert Delivery.objects.get().state == State.UNKNOWN
        return Accepted("late")

    town.on_send = dawdle
    tell(event, "sms")

    assert Delivery.objects.get().state == State.SENT
    assert Attempt.objects.get().outcome == Outcome.SENT


def test_a_late_failure_reopens_what_was_taken_for_unknown_and_sends_a_message(
    town: Town, serving_sms: str
) -> None:
    event = letter()
    Event.objects.create(
        id=event.id, type=event.type, source="urn:test", subject=event.subject, time=event.time
    )

    def dawdle(message: Message) -> Accepted:
        lapse()
        tell(event, "sms")  # whose message is deleted: the row waits for a receipt
        raise TransientError("slow and refused", "throttled")

    town.on_send = dawdle
    with pytest.raises(TransientError):
        tell(event, "sms")

    delivery, dispatch = Delivery.objects.get(), Dispatch.objects.get()
    assert delivery.state == State.RETRYING
    assert (dispatch.destination, dispatch.reason) == (serving_sms, Dispatch.Reason.REOPENED)
    assert abs(dispatch.available_at - delivery.next_try_at) < timedelta(seconds=5)


@pytest.mark.usefixtures("_leases_end_at_once")
@pytest.mark.parametrize("channel", ["email", "sms"])
def test_a_sender_whose_lease_ended_before_the_provider_was_asked_does_not_ask(
    town: Town, channel: str
) -> None:
    with pytest.raises(TransientError) as told:
        tell(letter(), channel)

    assert told.value.code == "too_slow"
    assert Delivery.objects.get().state == State.RETRYING
    assert not MemoryChannel.outbox(channel)


def test_a_result_whose_delivery_was_taken_over_is_kept_on_the_attempt_only(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    event = letter()

    def dawdle(message: Message) -> Accepted:
        town.on_send = None
        lapse()
        with pytest.raises(TransientError):
            tell(event)
        come_due()
        tell(event)
        return Accepted("late")

    town.on_send = dawdle
    with caplog.at_level(logging.WARNING), pytest.raises(Busy):
        tell(event)

    first, second = Attempt.objects.order_by("pk")
    delivery = Delivery.objects.get()
    assert (first.outcome, first.provider_message_id) == (Outcome.SENT, "late")
    assert delivery.provider_message_id == second.provider_message_id != "late"
    assert "came after its lease was lost" in caplog.text


def test_a_message_of_an_earlier_generation_finds_a_duplicate() -> None:
    event = letter(generation=1)
    MemoryChannel.script("email", "server_error", times=1)
    with pytest.raises(TransientError):
        tell(event)
    come_due()

    tell(replace(event, generation=0))

    assert Delivery.objects.get().state == State.RETRYING
    assert not MemoryChannel.outbox("email")


def test_a_later_generation_sends_nothing_that_was_not_opened_for_it() -> None:
    event = letter()
    tell(event)

    tell(replace(event, generation=1))

    assert len(MemoryChannel.outbox("email")) == 1
    assert Delivery.objects.get().generation == 0


@pytest.fixture
def _leases_end_at_once() -> Iterator[None]:
    before = [consumers.get("email"), consumers.get("sms")]
    for consumer in before:
        consumers.register(replace(consumer, max_seconds=0))
    yield
    for consumer in before:
        consumers.register(consumer)


def _die_while_sending(town: Town, receive: Callable[[], None]) -> None:
    """What is left when the process is killed while the provider has the request."""

    class Killed(BaseException):
        pass

    def die(message: Message) -> Accepted:
        raise Killed

    town.on_send = die
    with pytest.raises(Killed):
        receive()
    town.on_send = None
