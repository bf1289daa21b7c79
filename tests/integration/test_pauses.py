"""Pauses in the database: what holds, what is put off, and what a resume brings back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.utils import timezone

from notifications import consumers, pauses, switches
from notifications.envelope import Envelope
from notifications.identifiers import uuid7
from notifications.models import Dispatch, Event, Pause
from tests.integration.operator_rows import make_event
from tests.waiting import wait_for

QUEUE, CHANNEL, EVENT_TYPE = Pause.Kind.QUEUE, Pause.Kind.CHANNEL, Pause.Kind.EVENT_TYPE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _fresh_switches() -> Iterator[None]:
    switches.look_again()
    yield
    switches.look_again()


def paused(kind: Pause.Kind, name: str, **options: str) -> bool:
    return pauses.pause(kind, name, **{"by": "ada", "reason": "the account moves", **options})


def put_off() -> list[Dispatch]:
    return list(Dispatch.objects.filter(reason=Dispatch.Reason.PAUSED))


def is_soon(moment: datetime) -> bool:
    return moment <= timezone.now() + timedelta(seconds=1)


def test_a_pause_says_who_when_and_why() -> None:
    assert paused(QUEUE, "email")

    pause = Pause.objects.get()
    assert (pause.paused_by, pause.reason) == ("ada", "the account moves")
    assert is_soon(pause.paused_at)
    assert pause.resumed_at is None


def test_pausing_twice_changes_nothing() -> None:
    assert paused(QUEUE, "email")
    assert not paused(QUEUE, "email", by="bob")
    assert Pause.objects.get().paused_by == "ada"


def test_a_resumed_pause_stays_as_history_beside_the_next() -> None:
    paused(QUEUE, "email")
    assert pauses.resume(QUEUE, "email", by="bob") == (True, 0)
    assert paused(QUEUE, "email", by="eve")

    before, now = Pause.objects.order_by("id")
    assert (before.resumed_by, now.resumed_at) == ("bob", None)


def test_resuming_what_is_not_paused_says_so() -> None:
    assert pauses.resume(QUEUE, "email", by="bob") == (False, 0)


@pytest.mark.parametrize(
    ("kind", "name", "there"),
    [
        (QUEUE, "e-mail", "email, email-bulk"),
        (QUEUE, "email-dlq", "email, email-bulk"),
        (CHANNEL, "payments", "email, push, sms, webhook, whatsapp"),
        (EVENT_TYPE, "order.eaten", "order.cancelled, order.created"),
    ],
)
def test_an_unknown_name_is_refused_with_those_there_are(
    kind: Pause.Kind, name: str, there: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{name!r}; there are: .*{there}"):
        paused(kind, name)
    with pytest.raises(ImproperlyConfigured, match=there):
        pauses.resume(kind, name, by="bob")


def test_a_pause_can_be_ended_after_its_name_is_gone() -> None:
    Pause.objects.pause(EVENT_TYPE, "order.eaten", by="ada")
    assert pauses.resume(EVENT_TYPE, "order.eaten", by="bob") == (True, 0)


def test_a_queue_is_held_alone_and_a_channel_with_its_bulk_queue() -> None:
    email = consumers.get("email")

    paused(QUEUE, "email")
    held = switches.look()
    assert held.holds("email", email) == "queue email paused by ada: the account moves"
    assert held.holds("email-bulk", email) == ""

    pauses.resume(QUEUE, "email", by="ada")
    paused(CHANNEL, "email")
    held = switches.look()
    assert held.holds("email", email) == "channel email paused by ada: the account moves"
    assert held.holds("email-bulk", email) == held.holds("email", email)
    assert held.holds("sms", consumers.get("sms")) == ""


def test_a_bulk_queue_is_held_alone() -> None:
    paused(QUEUE, "email-bulk")

    held = switches.look()
    assert held.holds("email", consumers.get("email")) == ""
    assert "email-bulk" in held.holds("email-bulk", consumers.get("email"))


def test_a_message_of_a_paused_type_waits_in_the_outbox_until_the_resume() -> None:
    event = make_event()
    paused(EVENT_TYPE, "order.created")
    assert switches.look().paused_event_types == {"order.created"}

    assert pauses.put_off(event.envelope(generation=2), "email-bulk")

    [dispatch] = put_off()
    assert (dispatch.kind, dispatch.destination) == (Dispatch.Kind.QUEUE, "email-bulk")
    assert (dispatch.event_id, dispatch.generation) == (event.pk, 2)
    assert not is_soon(dispatch.available_at)

    assert pauses.resume(EVENT_TYPE, "order.created", by="bob") == (True, 1)
    [dispatch] = put_off()
    assert is_soon(dispatch.available_at)


def test_a_resume_pulls_only_its_own_type_forward() -> None:
    for event_type in ("order.created", "order.cancelled"):
        paused(EVENT_TYPE, event_type)
        pauses.put_off(make_event(event_type=event_type).envelope(), "email")

    assert pauses.resume(EVENT_TYPE, "order.created", by="bob") == (True, 1)

    due = {dispatch.event.type for dispatch in put_off() if is_soon(dispatch.available_at)}  # type: ignore[union-attr]
    assert due == {"order.created"}
    assert pauses.waiting("order.cancelled") == 1


def test_a_message_of_a_type_that_was_resumed_meanwhile_is_not_put_off() -> None:
    paused(EVENT_TYPE, "order.created")
    pauses.resume(EVENT_TYPE, "order.created", by="bob")

    assert not pauses.put_off(make_event().envelope(), "email")
    assert put_off() == []


def test_an_event_from_elsewhere_is_kept_when_it_is_put_off() -> None:
    paused(EVENT_TYPE, "order.created")
    foreign = Envelope(
        id=uuid7(),
        type="order.created",
        version=1,
        source="urn:elsewhere",
        subject="order/77",
        time=datetime.now(UTC),
        data={"order_id": 77},
        foreign=True,
    )

    assert pauses.put_off(foreign, "email")
    assert pauses.put_off(foreign, "email")  # received again, after a crash before its deletion

    assert Event.objects.get(pk=foreign.id).foreign
    assert len(put_off()) == 2


def test_what_is_put_off_while_a_resume_runs_is_pulled_forward_by_it() -> None:
    envelope = make_event().envelope()
    paused(EVENT_TYPE, "order.created")
    results: list[tuple[bool, int]] = []

    def resume() -> None:
        results.append(pauses.resume(EVENT_TYPE, "order.created", by="bob"))
        connection.close()

    with transaction.atomic():
        pauses.put_off(envelope, "email")
        resuming = threading.Thread(target=resume)
        resuming.start()
        wait_for(somebody_waits_for_a_lock, what="the resume to wait for us")
    resuming.join()

    assert results == [(True, 1)]
    assert is_soon(put_off()[0].available_at)


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        row = cursor.fetchone()
    assert row is not None
    return bool(row[0])


def test_a_template_is_stopped_over_its_own_channel_alone() -> None:
    paused(Pause.Kind.TEMPLATE, "order.created/email")

    held = switches.look()
    assert held.puts_off("order.created", "email")
    assert not held.puts_off("order.created", "push")
    assert not held.puts_off("order.cancelled", "email")
    assert not held.puts_off("order.created", "")


def test_what_a_stopped_template_would_have_told_is_told_after_its_resume() -> None:
    event = make_event()
    paused(Pause.Kind.TEMPLATE, "order.created/email")

    assert pauses.put_off(event.envelope(), "email-bulk")
    assert not pauses.put_off(event.envelope(), "push")
    assert pauses.waiting_for(Pause.Kind.TEMPLATE, "order.created/email") == 1
    assert pauses.waiting_for(Pause.Kind.TEMPLATE, "order.created/push") == 0

    assert pauses.resume(Pause.Kind.TEMPLATE, "order.created/push", by="bob") == (False, 0)
    assert pauses.resume(Pause.Kind.TEMPLATE, "order.created/email", by="bob") == (True, 1)
    assert is_soon(put_off()[0].available_at)
    assert not pauses.put_off(event.envelope(), "email-bulk")


def test_an_event_type_and_one_of_its_templates_are_held_each_for_itself() -> None:
    event = make_event()
    paused(EVENT_TYPE, "order.created")
    paused(Pause.Kind.TEMPLATE, "order.created/email")
    pauses.resume(EVENT_TYPE, "order.created", by="bob")

    assert pauses.put_off(event.envelope(), "email")
    assert not pauses.put_off(event.envelope(), "payments")


def test_what_is_told_over_no_such_channel_has_no_template_to_stop() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"there are: .*order.created/push"):
        paused(Pause.Kind.TEMPLATE, "order.created/sms")


def test_a_paused_account_holds_back_its_queues() -> None:
    email = consumers.get("email")
    paused(Pause.Kind.PROVIDER, "email")

    held = switches.look()
    assert held.holds("email-bulk", email) == "provider email paused by ada: the account moves"
    assert held.holds("sms", consumers.get("sms")) == ""
    with pytest.raises(ImproperlyConfigured, match=r"there are: .*email"):
        paused(Pause.Kind.PROVIDER, "email.nobody")
