"""`manage.py replay`: what a consumer missed is done, and what it did is not done again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from notifications import envelope
from notifications.channels.memory import MemoryChannel
from notifications.exceptions import PermanentError
from notifications.models import Delivery, Dispatch, Event, Handled, Job, JobItem
from tests.integration import ledger
from tests.integration.letters import letter, tell
from tests.integration.test_resend import TOO_OLD, items, message, recorded, resend, sent

UNLESS = "unless its message is lost (--messages-lost)"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("town")]


def replay(*arguments: object) -> str:
    out = StringIO()
    words = map(str, arguments)
    call_command("replay", *words, "--by", "mira", "--reason", "the queue was lost", stdout=out)
    return out.getvalue()


def test_a_channel_tells_whom_it_has_not_told() -> None:
    event = recorded()
    assert "1 dispatched" in replay("email", "--since", "1h")
    dispatch = Dispatch.objects.get()
    assert (dispatch.destination, dispatch.reason) == ("email-bulk", "replayed")
    assert (dispatch.event_id, dispatch.generation) == (event.id, 0)
    tell(message())
    tell(message())
    assert len(MemoryChannel.outbox("email")) == 1


@pytest.mark.parametrize("state", ["sent", "failed", "unknown", "skipped"])
def test_whom_it_has_told_or_given_up_is_not_told_again(state: str) -> None:
    sent()
    Delivery.objects.update(state=state, generation=3)
    replay("email", "--since", "1h")
    tell(message())
    assert len(MemoryChannel.outbox("email")) == 1
    assert Delivery.objects.get().state == state


def test_events_are_chosen_by_type_and_time_and_in_their_order() -> None:
    with ledger.registered():
        old = recorded(age=timedelta(hours=3))
        second, first = recorded(age=timedelta(minutes=5)), recorded(age=timedelta(minutes=10))
        shipped = recorded()
        Event.objects.filter(pk=shipped.id).update(
            type="order.shipped", data={"order_id": 7, "tracking_code": "1", "carrier": "UPS"}
        )
        replay(ledger.NAME, "--since", "2h", "--event-type", "order.created")
        chosen = JobItem.objects.order_by("id").values_list("event_id", flat=True)
        assert list(chosen) == [first.id, second.id]
        assert Dispatch.objects.first().destination == f"{ledger.NAME}-bulk"  # type: ignore[union-attr]
        replay(ledger.NAME, "--until", "2h")
        replay(ledger.NAME, "--event", shipped.id)
        assert list(JobItem.objects.order_by("id").values_list("event_id", flat=True))[2:] == [
            old.id,
            shipped.id,
        ]


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        ("done", "ledger has done it already"),
        ("failed", "ledger has given it up: redrive its dead letter"),
        ("open", f"it is under way: {ledger.NAME} tries it again by itself, {UNLESS}"),
    ],
)
def test_what_a_service_knows_is_left_alone(outcome: str, why: str) -> None:
    with ledger.registered():
        event = recorded()
        Handled.objects.mark_failed(ledger.NAME, event, PermanentError())
        Handled.objects.update(outcome=outcome)
        replay(ledger.NAME, "--since", "1h")
    assert items() == [("left_alone", why)]
    assert not Dispatch.objects.exists()


def test_where_the_messages_are_lost_what_is_under_way_is_brought_on() -> None:
    with ledger.registered():
        event = recorded()
        Handled.objects.reopen(ledger.NAME, replace(event, generation=2), why="redriven")
        replay(ledger.NAME, "--since", "1h", "--messages-lost")
        replay(ledger.NAME, "--since", "1h")
    assert [outcome for outcome, _ in items()] == ["dispatched", "left_alone"]
    dispatch = Dispatch.objects.get()
    assert (dispatch.reason, dispatch.generation) == ("replayed", 2)


def test_a_redriven_one_of_a_channel_that_had_no_delivery_yet_is_brought_on() -> None:
    event = recorded()
    Handled.objects.reopen("email", replace(event, generation=1), why="redriven")
    replay("email", "--since", "1h", "--messages-lost")
    assert Dispatch.objects.get().generation == 1


def test_what_was_resent_of_an_old_event_is_found_where_the_messages_are_lost() -> None:
    old, other = sent(age=timedelta(days=2)), sent(age=timedelta(days=3))
    resend("--event", old.id)
    Dispatch.objects.all().delete()

    replay("email", "--since", "1h", "--messages-lost")

    assert [dispatch.event_id for dispatch in Dispatch.objects.all()] == [old.id]
    assert Delivery.objects.filter(event_id=other.id).get().generation == 0


def test_a_resend_whose_message_was_lost_is_told_and_nobody_else() -> None:
    sent()
    resend("--subject", "order/7")
    Dispatch.objects.all().delete()  # and with it whatever SQS had of it
    assert Delivery.objects.get().generation == 1

    replay("email", "--since", "1h")
    tell(message())
    assert len(MemoryChannel.outbox("email")) == 1, "a copy of the first message brings nothing on"

    for _ in range(2):
        replay("email", "--since", "1h", "--messages-lost")
        tell(message())
        assert len(MemoryChannel.outbox("email")) == 2


def test_what_is_too_old_for_the_inbox_or_cannot_be_read_is_refused() -> None:
    recorded(age=TOO_OLD)
    unreadable = recorded()
    Event.objects.filter(pk=unreadable.id).update(data={"order_id": "seven"})
    replay("email", "--until", timezone.now().isoformat())
    [(old, why), (strange, reason)] = items()
    assert (old, strange) == ("refused", "refused")
    assert "too old" in why
    assert "could not read it: event_refused" in reason


def test_a_dry_run_changes_nothing() -> None:
    recorded()
    assert "would be dispatched" in replay("email", "--since", "1h", "--dry-run")
    answer = json.loads(replay("email", "--since", "1h", "--dry-run", "--json"))
    assert (answer["total"], answer["counts"]) == (1, {"dispatched": 1})
    assert not Job.objects.exists()
    assert not Dispatch.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "1h"], "Say to which consumer"),
        (["email"], "Say which"),
        (["email", "--event-type", "order.created"], "Say which"),
        (["fax", "--since", "1h"], "No consumer is named 'fax'"),
        (["receipts", "--since", "1h"], "takes no events"),
        (["email", "--since", "1h", "--event-type", "order.vanished"], "does not take"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], said: Any) -> None:
    with pytest.raises(CommandError, match=said):
        replay(*arguments)


def test_a_foreign_event_is_replayed_as_it_was_recorded() -> None:
    foreign = letter()
    Event.objects.keep(foreign)
    replay("email", "--subject", "order/7")
    dispatch = Dispatch.objects.get()
    assert dispatch.event is not None
    assert envelope.read(envelope.write(dispatch.event.envelope())).id == foreign.id
