"""One delivery on PostgreSQL: claim, decide, render, send, record."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from notifications.channels.base import Accepted, Message
from notifications.channels.memory import MemoryChannel
from notifications.exceptions import (
    PermanentError,
)
from notifications.models import Attempt, Delivery, Handled
from notifications.recipients import Recipient
from tests.integration.letters import ANN, BEN, Town, letter, tell

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("town")]

State, Outcome = Delivery.State, Attempt.Outcome


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


def test_an_event_that_has_nobody_to_tell_leaves_an_inbox_row(town: Town, serving_sms: str) -> None:
    town.people = []

    tell(letter(), "sms")

    left = Handled.objects.get()
    assert (left.consumer, left.outcome) == (serving_sms, Handled.Outcome.DONE)
    assert not Delivery.objects.exists()


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
