"""What a receipt makes of its delivery and its attempt, whenever and however often it comes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models.functions import Now
from django.utils import timezone

from notifications import receipts
from notifications.conf import Route
from notifications.exceptions import Busy
from notifications.models import Attempt, Delivery, Receipt
from notifications.models.claim import ClaimOutcome
from notifications.receipts import Told
from notifications.recipients import Recipient
from notifications.worker.task import LONGEST_SLEEP
from tests.integration.operator_rows import make_event
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

SAID_AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
MOVES = {
    # (the row was, the receipt says): the row is
    **dict.fromkeys(
        product(("unknown", "retrying", "failed", "discarded"), ("accepted", "delayed")), "sent"
    ),
    **dict.fromkeys(
        product(
            ("unknown", "retrying", "failed", "discarded", "sent"),
            ("delivered", "opened", "clicked", "read"),
        ),
        "delivered",
    ),
    **dict.fromkeys(
        product(
            ("unknown", "retrying", "failed", "discarded", "sent", "delivered"), ("complained",)
        ),
        "complained",
    ),
    **dict.fromkeys(
        product(("unknown", "retrying", "sent"), ("bounced", "soft_bounced")), "bounced"
    ),
    ("delivered", "bounced"): "bounced",
    ("unknown", "rejected"): "failed",
    ("sent", "rejected"): "bounced",
}
STATES = sorted(set(Delivery.State.values) - {"sending"})


def a_delivery(state: str, *, attempts: int = 1, generation: int = 0, **values: Any) -> Delivery:
    """One in that state after so many attempts of its generation, the earlier ones unknown."""
    event = make_event()
    delivery = Delivery.objects.create(
        event=event,
        event_type=event.type,
        event_time=event.time,
        subject=event.subject,
        channel="email",
        route="customer",
        recipient="customer/1",
        state=state,
        generation=generation,
        attempts=attempts,
        **values,
    )
    for number in range(1, attempts + 1):
        Attempt.objects.create(
            delivery=delivery,
            subject=delivery.subject,
            generation=generation,
            number=number,
            token="0193f5bc-0000-7000-8000-000000000000",
            outcome="unknown",
            code="read_timeout",
        )
    return delivery


def told(delivery: Delivery, kind: str, *, number: int = 1, generation: int = 0) -> Told:
    return Told(
        delivery_id=delivery.pk,
        generation=generation,
        number=number,
        provider="ses",
        provider_message_id="m-1",
        kind=Receipt.Kind(kind),
        code="Permanent.General" if kind == "bounced" else "",
        detail="",
        occurred_at=SAID_AT,
    )


def take(*said: Told) -> None:
    receipts.take(receipts.envelope_of(said, subject="order/1"))


@pytest.mark.parametrize("kind", Receipt.Kind.values)
def test_it_moves_the_row_from_its_legal_states_only(kind: str) -> None:
    for state in STATES:
        delivery = a_delivery(state, next_try_at=timezone.now() + timedelta(hours=1))
        take(told(delivery, kind))
        delivery.refresh_from_db()
        assert delivery.state == MOVES.get((state, kind), state), (state, kind)
        moved_to = MOVES.get((state, kind), "")
        assert delivery.receipts.get().moved_to == moved_to
        if moved_to:
            assert delivery.next_try_at is None
            assert delivery.finished_at is not None
            assert delivery.provider_message_id == "m-1"


def test_a_bounce_says_why_on_the_row() -> None:
    delivery = a_delivery("sent", sent_at=SAID_AT)
    take(told(delivery, "bounced"))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason) == ("bounced", "Permanent.General")
    assert delivery.last_error == "bounced: Permanent.General"


def test_what_was_unknown_says_when_the_provider_took_it_and_nothing_more_is_wrong() -> None:
    delivery = a_delivery("unknown", last_error="read_timeout: The provider did not answer.")
    take(told(delivery, "accepted"))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.last_error, delivery.sent_at) == ("sent", "", SAID_AT)
    assert delivery.provider == "ses"


@pytest.mark.parametrize("last", ["complained", "bounced"])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 1, 2, 0, 0)])
def test_in_any_order_and_repeated_the_end_is_the_same(order: tuple[int, ...], last: str) -> None:
    """A mail server that has taken a mail may send it back: SES says Delivery, and then Bounce."""
    delivery = a_delivery("unknown")
    said = [told(delivery, kind) for kind in ("accepted", "delivered", last)]
    for index in order:
        take(said[index])
    delivery.refresh_from_db()
    assert delivery.state == last
    assert delivery.receipts.count() == 3


def test_a_late_receipt_of_the_first_attempt_stops_the_second() -> None:
    """It has arrived: the message that would try again finds a duplicate."""
    delivery = a_delivery("retrying", attempts=2, next_try_at=timezone.now())
    take(told(delivery, "accepted", number=1))
    delivery.refresh_from_db()
    assert delivery.state == "sent"
    claim = Delivery.objects.claim(
        delivery.event.envelope(),
        channel="email",
        route=Route("email"),
        recipient=Recipient(reference="customer/1", address="a@example.org"),
        lease=timedelta(seconds=30),
    )
    assert claim.outcome is ClaimOutcome.DUPLICATE


@pytest.mark.parametrize("kind", ["bounced", "soft_bounced", "rejected"])
def test_that_an_earlier_attempt_came_back_says_nothing_of_the_later_one(kind: str) -> None:
    delivery = a_delivery("sent", attempts=2)
    take(told(delivery, kind, number=1))
    delivery.refresh_from_db()
    assert delivery.state == "sent"
    assert delivery.receipts.get().moved_to == ""


def test_a_receipt_of_an_earlier_generation_is_kept_and_moves_nothing() -> None:
    delivery = a_delivery("unknown", generation=1)
    take(told(delivery, "delivered", generation=0))
    delivery.refresh_from_db()
    assert delivery.state == "unknown"
    assert delivery.receipts.get().generation == 0


def test_an_attempt_nobody_made_moves_nothing() -> None:
    delivery = a_delivery("unknown")
    take(told(delivery, "delivered", number=2))
    delivery.refresh_from_db()
    assert delivery.state == "unknown"


def test_a_receipt_waits_while_its_sender_is_at_it() -> None:
    """Else "delivered" would come before "sent", and be lost."""
    delivery = a_delivery("sending")
    Delivery.objects.update(lease_until=Now() + timedelta(seconds=20))
    with pytest.raises(Busy) as busy:
        take(told(delivery, "delivered"))
    assert 1 <= busy.value.seconds <= 20
    assert not Receipt.objects.exists()
    Delivery.objects.update(state="sent", lease_until=None)
    take(told(delivery, "delivered"))
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


def test_a_receipt_never_waits_longer_than_sqs_lets_it_sleep() -> None:
    """Said a long time ago, of a sender who may take hours."""
    delivery = a_delivery("sending")
    Delivery.objects.update(lease_until=Now() + timedelta(hours=2))
    with pytest.raises(Busy) as busy:
        take(told(delivery, "delivered"))
    assert busy.value.seconds == receipts.LONGEST_WAIT < LONGEST_SLEEP


def test_a_lease_that_lapsed_is_as_good_as_unknown() -> None:
    delivery = a_delivery("sending")
    Attempt.objects.update(outcome="started", code="")
    Delivery.objects.update(lease_until=Now() - timedelta(seconds=1))
    take(told(delivery, "delivered"))
    delivery.refresh_from_db()
    attempt = delivery.attempt_log.get()
    assert (delivery.state, delivery.lease_until) == ("delivered", None)
    assert (attempt.outcome, attempt.code) == ("sent", "lease_expired")


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("accepted", "sent"), ("bounced", "sent"), ("rejected", "permanent")],
)
def test_the_attempt_is_told_better_and_keeps_why_it_was_unknown(kind: str, outcome: str) -> None:
    delivery = a_delivery("unknown")
    take(told(delivery, kind))
    attempt = delivery.attempt_log.get()
    assert (attempt.outcome, attempt.code) == (outcome, "read_timeout")
    assert attempt.provider_message_id == "m-1"


def test_an_attempt_whose_outcome_is_known_stays_as_it_is() -> None:
    delivery = a_delivery("sent")
    Attempt.objects.update(outcome="sent", code="", provider_message_id="known")
    take(told(delivery, "delivered"))
    attempt = delivery.attempt_log.get()
    assert (attempt.outcome, attempt.provider_message_id) == ("sent", "known")


def test_a_receipt_of_a_delivery_that_is_not_here_is_passed_over() -> None:
    delivery = a_delivery("unknown")
    said = told(delivery, "delivered")
    delivery.delete()
    take(said)
    assert not Receipt.objects.exists()


def test_what_the_policy_doubled_never_exceeds_the_unknowns_it_retried() -> None:
    delivery = a_delivery("sent", attempts=2)
    delivery.attempt_log.filter(number=2).update(outcome="sent", code="")
    assert (Attempt.objects.unknown_retried(), Attempt.objects.doubled_by_policy()) == (1, 0)
    take(told(delivery, "accepted", number=1))
    assert (Attempt.objects.unknown_retried(), Attempt.objects.doubled_by_policy()) == (1, 1)


def test_a_receipt_that_meets_the_sender_at_the_row_is_not_lost() -> None:
    """Race: the sender records "sent" while the receipt waits for the row's lock."""
    delivery = a_delivery("sending")
    Delivery.objects.update(lease_until=Now() + timedelta(seconds=20))
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Delivery.objects.filter(pk=delivery.pk).update(state="sent", lease_until=None)
            receiver = pool.submit(take_in_thread, told(delivery, "delivered"))
            wait_for(somebody_waits_for_a_lock)
        receiver.result()
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


def take_in_thread(said: Told) -> None:
    try:
        take(said)
    finally:
        connections.close_all()


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])
