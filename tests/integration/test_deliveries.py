"""One delivery on PostgreSQL: claim, decide, render, send, record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models import F
from django.db.models.functions import Now

from notifications.channels.base import Accepted, Message
from notifications.channels.memory import MemoryChannel
from notifications.deliveries import deliver
from notifications.envelope import Envelope
from notifications.exceptions import (
    AttemptsExhausted,
    Busy,
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from notifications.identifiers import uuid7
from notifications.models import Attempt, Delivery, Dispatch, Event, Handled
from notifications.recipients import Recipient
from tests.integration import letters
from tests.integration.letters import ANN, BEN, POLICY, Town, letter

pytestmark = pytest.mark.django_db

State, Outcome = Delivery.State, Attempt.Outcome


@pytest.fixture(autouse=True)
def town(settings: Any, tmp_path: Path) -> Iterator[Town]:
    settings.NOTIFICATIONS = letters.settings_of_the_town()
    settings.TEMPLATES = letters.write_templates(tmp_path)
    letters.town.__init__()
    MemoryChannel.reset()
    yield letters.town
    MemoryChannel.reset()


def tell(envelope: Envelope, channel: str = "email") -> None:
    deliver(envelope, channel=channel, policy=POLICY, task_id=uuid7(), worker="w@host")


def come_due() -> None:
    """The wait before the next try is over."""
    Delivery.objects.update(next_try_at=Now())


def lapse() -> None:
    """The lease of whoever is sending is over."""
    Delivery.objects.filter(state=State.SENDING).update(lease_until=Now())


def test_a_delivery_is_sent_and_everything_about_it_recorded() -> None:
    event = letter()

    tell(event)

    (message,) = MemoryChannel.outbox("email")
    delivery = Delivery.objects.get()
    attempt = Attempt.objects.get()
    assert (message.address, message.content.subject) == (ANN.address, "Order 7")
    assert message.content.text == "Thank you for order 7."
    assert message.tag == f"{delivery.pk}.0.1" == attempt.tag
    assert message.idempotency_key == f"{delivery.pk}.0"
    assert (message.event_type, message.subject) == ("order.created", "order/7")
    assert delivery.state == State.SENT
    assert (delivery.event_id, delivery.event_time) == (event.id, event.time)
    assert (delivery.route, delivery.recipient) == ("customer", "customer/1")
    assert (delivery.address, delivery.locale, delivery.provider) == (
        ANN.address,
        "en",
        "postman",
    )
    assert delivery.address_hash.startswith("1:")
    assert delivery.template_version == message.content.template_version
    assert delivery.created_at <= delivery.started_at <= delivery.sent_at == delivery.finished_at
    assert delivery.lease_until is None
    assert attempt.outcome == Outcome.SENT
    assert (attempt.number, attempt.worker, attempt.provider) == (1, "w@host", "postman")
    assert attempt.provider_message_id == delivery.provider_message_id != ""
    assert attempt.task_id
    assert attempt.finished_at >= attempt.started_at
    assert attempt.duration_ms is not None


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


def test_every_channel_and_recipient_is_a_delivery_of_its_own(town: Town) -> None:
    town.people = [ANN, BEN]
    event = letter()

    tell(event, "email")
    tell(event, "sms")

    assert len(MemoryChannel.outbox("email")) == len(MemoryChannel.outbox("sms")) == 2
    assert Delivery.objects.filter(state=State.SENT).count() == 4


@pytest.mark.parametrize(
    ("recipient", "reason"),
    [(replace(ANN, opted_out=True), "opted_out"), (Recipient("customer/1"), "no_address")],
)
def test_who_does_not_want_it_or_has_no_address_is_skipped(
    town: Town, recipient: Recipient, reason: str
) -> None:
    town.people = [recipient]

    tell(letter())

    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason) == (State.SKIPPED, reason)
    assert delivery.finished_at
    assert delivery.sent_at is None
    assert Attempt.objects.get().outcome == Outcome.SKIPPED
    assert not MemoryChannel.outbox("email")


def test_what_is_too_old_to_be_worth_sending_is_skipped() -> None:
    tell(letter(age=timedelta(days=4)))

    assert (Delivery.objects.get().state, Delivery.objects.get().reason) == (
        State.SKIPPED,
        "expired",
    )


def test_what_is_no_longer_true_is_skipped_with_the_shops_words(town: Town) -> None:
    town.untrue = "the order was cancelled"

    tell(letter())

    assert Delivery.objects.get().reason == "no_longer_true: the order was cancelled"
    assert Attempt.objects.get().code == "no_longer_true"


def test_an_event_that_has_nobody_to_tell_leaves_an_inbox_row(town: Town) -> None:
    town.people = []

    tell(letter())

    assert Handled.objects.get().outcome == Handled.Outcome.DONE
    assert not Delivery.objects.exists()


def test_a_transient_error_is_tried_again_after_the_policys_wait() -> None:
    event = letter()
    MemoryChannel.script("email", "server_error", times=2)

    for wait in (10, 20):
        with pytest.raises(TransientError) as told:
            tell(event)
        assert told.value.retry_after == wait
        assert told.value.counted
        delivery = Delivery.objects.annotate(wait=F("next_try_at") - Now()).get()
        assert delivery.state == State.RETRYING
        assert timedelta(seconds=wait - 5) < delivery.wait <= timedelta(seconds=wait)
        come_due()
    tell(event)

    assert Delivery.objects.get().state == State.SENT
    assert list(Attempt.objects.order_by("pk").values_list("number", "outcome", "code")) == [
        (1, Outcome.TRANSIENT, "http_500"),
        (2, Outcome.TRANSIENT, "http_500"),
        (3, Outcome.SENT, ""),
    ]


def test_the_providers_retry_after_goes_over_the_policys_wait() -> None:
    MemoryChannel.script("email", "throttle", retry_after=77)

    with pytest.raises(TransientError) as told:
        tell(letter())

    assert told.value.retry_after == 77


def test_a_message_that_comes_back_too_early_costs_no_attempt() -> None:
    event = letter()
    MemoryChannel.script("email", "server_error", times=1)
    with pytest.raises(TransientError):
        tell(event)

    with pytest.raises(Busy) as told:
        tell(event)

    assert 5 < told.value.seconds <= 10
    assert Attempt.objects.count() == 1


def test_one_failure_more_than_the_retries_is_given_up() -> None:
    event = letter()
    MemoryChannel.script("email", "server_error")
    for _ in range(2):
        with pytest.raises(TransientError):
            tell(event)
        come_due()

    with pytest.raises(AttemptsExhausted, match="3 attempts, the last: http_500"):
        tell(event)

    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason) == (State.FAILED, "attempts_exhausted")
    assert delivery.finished_at
    tell(event)
    assert Attempt.objects.count() == 3


def test_a_permanent_error_is_never_tried_again() -> None:
    event = letter()
    MemoryChannel.script("email", "refuse", code="MessageRejected")

    with pytest.raises(PermanentError, match="MessageRejected"):
        tell(event)
    tell(event)

    assert (Delivery.objects.get().state, Delivery.objects.get().reason) == (
        State.FAILED,
        "MessageRejected",
    )
    assert Attempt.objects.get().outcome == Outcome.PERMANENT


def test_a_paused_account_costs_no_attempt_and_stops_the_rest(town: Town) -> None:
    town.people = [ANN, BEN]
    event = letter()
    MemoryChannel.script("email", "refuse", code="provider_paused", times=5)

    for _ in range(5):
        with pytest.raises(ProviderPaused) as told:
            tell(event)
        assert told.value.counted
        come_due()
    assert Delivery.objects.get().recipient == ANN.reference
    tell(event)

    assert Delivery.objects.filter(state=State.SENT).count() == 2


def test_one_recipients_failure_does_not_keep_the_others_waiting(town: Town) -> None:
    town.people = [ANN, BEN]
    event = letter()
    MemoryChannel.script("email", "refuse", code="MessageRejected", address=ANN.address)
    MemoryChannel.script("email", "server_error", address=BEN.address, times=1)

    with pytest.raises(TransientError):  # the message must come back, for Ben
        tell(event)
    come_due()
    tell(event)

    states = dict(Delivery.objects.values_list("recipient", "state"))
    assert states == {ANN.reference: State.FAILED, BEN.reference: State.SENT}


def test_the_soonest_wait_decides_when_the_message_comes_back(town: Town) -> None:
    town.people = [ANN, BEN]
    MemoryChannel.script("email", "throttle", address=ANN.address, retry_after=300)
    MemoryChannel.script("email", "throttle", address=BEN.address, retry_after=30)

    with pytest.raises(TransientError) as told:
        tell(letter())

    assert told.value.retry_after == 30


def test_an_unknown_email_is_tried_again() -> None:
    event = letter()
    MemoryChannel.script("email", "hang", times=1)

    with pytest.raises(TransientError) as told:
        tell(event)
    delivery = Delivery.objects.get()
    assert (delivery.state, told.value.retry_after) == (State.UNKNOWN, 10)
    assert delivery.next_try_at
    come_due()
    tell(event)

    assert Delivery.objects.get().state == State.SENT
    outcomes = Attempt.objects.order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == [Outcome.UNKNOWN, Outcome.SENT]


def test_an_unknown_text_message_waits_for_a_receipt_or_an_operator() -> None:
    event = letter()
    MemoryChannel.script("sms", "accept_then_drop", times=1)

    tell(event, "sms")
    tell(event, "sms")

    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.next_try_at) == (State.UNKNOWN, None)
    assert len(MemoryChannel.outbox("sms")) == 1


def test_an_email_that_stays_unknown_is_never_called_failed() -> None:
    event = letter()
    MemoryChannel.script("email", "hang")
    for _ in range(2):
        with pytest.raises(TransientError):
            tell(event)
        come_due()

    tell(event)

    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.next_try_at) == (State.UNKNOWN, None)


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
    town: Town,
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
    assert (dispatch.destination, dispatch.reason) == ("sms", Dispatch.Reason.REOPENED)
    assert abs(dispatch.available_at - delivery.next_try_at) < timedelta(seconds=5)


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


def test_a_template_that_fails_is_put_on_record_and_raised_as_it_is(town: Town) -> None:
    def stumble() -> dict[str, Any]:
        raise KeyError("total")

    town.words = stumble

    with pytest.raises(KeyError, match="total"):
        tell(letter())

    delivery, attempt = Delivery.objects.get(), Attempt.objects.get()
    assert (delivery.state, delivery.reason) == (State.FAILED, "KeyError")
    assert (attempt.outcome, attempt.code) == (Outcome.PERMANENT, "KeyError")


def test_what_an_adapter_did_not_translate_is_unknown_and_raised_as_it_is(town: Town) -> None:
    def stumble(message: Message) -> Accepted:
        raise ZeroDivisionError

    town.on_send = stumble

    with pytest.raises(ZeroDivisionError):
        tell(letter())

    assert (Delivery.objects.get().state, Delivery.objects.get().next_try_at) == (
        State.UNKNOWN,
        None,
    )
    assert Attempt.objects.get().code == "ZeroDivisionError"


def test_a_database_that_fails_before_the_send_leaves_no_trace_of_an_attempt(town: Town) -> None:
    event = letter()

    def stumble() -> dict[str, Any]:
        raise OperationalError("deadlock detected")

    town.words = stumble
    with pytest.raises(OperationalError):
        tell(event)
    assert not Attempt.objects.exists()
    town.words = dict
    tell(event)

    assert (Delivery.objects.get().state, Delivery.objects.get().attempts) == (State.SENT, 1)


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


def test_no_address_stands_in_logs_errors_or_attempts(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(message: Message) -> Accepted:
        raise PermanentError(f"{message.address} is unknown, call +49 30 1234567", "unknown")

    town.on_send = refuse
    with caplog.at_level(logging.DEBUG), pytest.raises(PermanentError):
        tell(letter())

    kept = Delivery.objects.get().last_error + Attempt.objects.get().detail
    ours = "".join(entry.getMessage() for entry in caplog.records if "notifications" in entry.name)
    assert "a…@example.org" in kept
    assert ANN.address not in kept + ours
    assert "1234567" not in kept + ours


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


def test_an_unknown_outcome_names_its_code_on_the_attempt(town: Town) -> None:
    def hang_up(message: Message) -> Accepted:
        raise OutcomeUnknown("no answer", "read_timeout")

    town.on_send = hang_up
    tell(letter(), "sms")

    assert Attempt.objects.get().code == "read_timeout"
