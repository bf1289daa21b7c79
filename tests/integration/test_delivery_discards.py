"""Deliveries that an operator discards: from which states, on whose word, and what comes after."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from notifications.channels.base import Accepted, Message
from notifications.channels.memory import MemoryChannel
from notifications.delivery_discards import discard
from notifications.envelope import Envelope
from notifications.exceptions import OutcomeUnknown, TransientError
from notifications.models import AuditEntry, Delivery, Event
from notifications.resend import resend_one
from tests.integration.letters import ANN, Town, come_due, letter, tell
from tests.integration.operator_rows import EMAIL, make_delivery, make_event
from tests.integration.together import all_at_once

pytestmark = pytest.mark.django_db

State = Delivery.State
ALLOWED = {"pending", "retrying", "unknown", "failed"}


@pytest.mark.parametrize("state", State.values)
def test_what_is_not_told_and_in_nobodys_hands_may_be_discarded(state: str) -> None:
    delivery = make_delivery(make_event(), state=state)

    [answer] = discard([delivery.pk], by="mira", reason=f"a test order of {EMAIL}")

    delivery.refresh_from_db()
    if state not in ALLOWED:
        assert (delivery.state, bool(answer.why_not)) == (state, True)
        assert not AuditEntry.objects.exists()
        return
    assert (delivery.state, answer.was, answer.why_not) == ("discarded", state, "")
    assert (delivery.reason, delivery.next_try_at) == ("discarded_by_operator", None)
    assert "is not known here" in delivery.last_error
    entry = AuditEntry.objects.get(action="delivery.discard")
    assert (entry.actor, entry.target, entry.subject) == ("mira", str(delivery.pk), "order/1")
    assert (entry.before, entry.after) == ({"state": state}, {"state": "discarded"})
    assert EMAIL not in entry.reason


def test_a_dry_run_and_one_that_is_not_there_change_nothing() -> None:
    delivery, missing = make_delivery(make_event(), state="failed"), uuid4()
    answers = discard([delivery.pk, missing], by="mira", reason="x", dry_run=True)
    assert [each.why_not for each in answers] == ["", "there is no such delivery"]
    delivery.refresh_from_db()
    assert delivery.state == "failed"
    assert not AuditEntry.objects.exists()


def test_the_message_of_a_discarded_one_finds_a_last_state_and_a_resend_opens_it(
    town: Town,
) -> None:
    def refuse(message: Message) -> Accepted:
        raise TransientError("busy", "busy")

    event, town.on_send = letter(), refuse
    with pytest.raises(TransientError):
        tell(event)
    discard([Delivery.objects.get().pk], by="mira", reason="x")
    town.on_send = None
    come_due()

    tell(event)

    delivery = Delivery.objects.get()
    assert (delivery.state, MemoryChannel.outbox("email")) == ("discarded", [])
    assert "kept no longer" in resend_one(delivery, by="mira", reason="x")  # nobody recorded it


def test_a_retry_of_an_unknown_one_that_was_discarded_does_nothing(town: Town) -> None:
    def lose(message: Message) -> Accepted:
        raise OutcomeUnknown("no answer", "timeout")

    event, town.on_send = letter(), lose
    with pytest.raises(TransientError):
        tell(event)
    [answer] = discard([Delivery.objects.get().pk], by="mira", reason="x")
    come_due()
    tell(event)
    assert (answer.was, Delivery.objects.get().state) == ("unknown", "discarded")
    assert Delivery.objects.get().attempts == 1


@pytest.mark.django_db(transaction=True)
def test_of_a_worker_and_an_operator_who_come_at_once_one_has_it(town: Town) -> None:
    for _ in range(4):
        event = letter()
        delivery = make_delivery(Event(**_columns(event)), state="pending", recipient=ANN.reference)
        all_at_once(
            [
                partial(tell, event),
                partial(discard, [delivery.pk], by="mira", reason="x"),
            ]
        )
        sent = [mail for mail in MemoryChannel.outbox("email") if str(delivery.pk) in mail.tag]
        delivery.refresh_from_db()
        assert (delivery.state, len(sent)) in {("sent", 1), ("discarded", 0)}
        assert AuditEntry.objects.filter(target=str(delivery.pk)).exists() == (not sent)


def _columns(event: Envelope) -> dict[str, Any]:
    return {name: getattr(event, name) for name in ("id", "type", "subject", "time")}
