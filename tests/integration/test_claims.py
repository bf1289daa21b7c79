"""Claims under real concurrency: threads with connections of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from notifications import delivery_discards, unknowns
from notifications.channels.base import Accepted, Message
from notifications.channels.memory import MemoryChannel
from notifications.conf import Route
from notifications.deliveries import deliver
from notifications.envelope import Envelope
from notifications.exceptions import Busy, OutcomeUnknown, TransientError
from notifications.models import Attempt, Delivery
from notifications.models.claim import Claim, ClaimOutcome, ClaimRequest, insert_or_take_over
from notifications.models.conclusion import Conclusion
from tests.integration import letters
from tests.integration.letters import ANN, POLICY, letter, request_for
from tests.integration.together import at_once, waiting_for_locks
from tests.waiting import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("town")]

T = TypeVar("T")
DB = "default"
THREADS = 20
State = Delivery.State


def claim(event: Envelope) -> Claim:
    return Delivery.objects.claim(
        event,
        channel="email",
        route=Route("email"),
        recipient=ANN,
        lease=timedelta(seconds=30),
    )


def requests(events: list[Envelope]) -> list[ClaimRequest]:
    """As several threads of one worker make them at the same moment."""
    return [request_for(event) for event in events]


def discard(rows: list[UUID]) -> object:
    return delivery_discards.discard(rows, by="mira", reason="mended")


def settle(rows: list[UUID]) -> object:
    return unknowns.settle(rows, State.SENT, by="mira", reason="looked up")


def alone(work: Callable[[], T]) -> T:
    """In a thread, whose connection goes with it."""
    try:
        return work()
    finally:
        connection.close()


def concluded(held: Claim, state: Delivery.State, **details: Any) -> Conclusion:
    return Conclusion(claim=held, state=state, outcome=state, **details)


def conclude(held: Claim, state: Delivery.State, **details: Any) -> bool:
    return Delivery.objects.conclude(concluded(held, state, **details))


def outcomes(claims: list[Claim]) -> dict[ClaimOutcome, int]:
    counts: dict[ClaimOutcome, int] = {}
    for each in claims:
        counts[each.outcome] = counts.get(each.outcome, 0) + 1
    return counts


def test_of_twenty_threads_that_insert_one_delivery_at_once_one_gets_it() -> None:
    event = letter()

    claims = at_once(lambda: claim(event), THREADS)

    assert outcomes(claims) == {ClaimOutcome.CLAIMED: 1, ClaimOutcome.BUSY: THREADS - 1}
    assert Delivery.objects.get().attempts == 1
    assert Attempt.objects.count() == 1


def test_of_twenty_threads_that_take_over_a_delivery_at_once_one_gets_it() -> None:
    event = letter()
    first = claim(event)
    conclude(first, State.RETRYING, retry_in=0)

    claims = at_once(lambda: claim(event), THREADS)

    assert outcomes(claims) == {ClaimOutcome.CLAIMED: 1, ClaimOutcome.BUSY: THREADS - 1}
    assert list(Attempt.objects.order_by("number").values_list("number", flat=True)) == [1, 2]


def test_of_twenty_threads_that_find_a_lapsed_lease_one_settles_it() -> None:
    event = letter()
    claim(event)
    Delivery.objects.update(lease_until=Now())

    def settle() -> bool:
        found = claim(event)
        return found.outcome is ClaimOutcome.LAPSED and conclude(found, State.UNKNOWN, lapsed=True)

    assert at_once(settle, THREADS).count(True) == 1
    assert Delivery.objects.get().state == State.UNKNOWN


def test_a_result_and_a_lapse_at_the_same_moment_agree_on_one_state() -> None:
    for _ in range(10):
        event = letter()
        held = claim(event)
        Delivery.objects.filter(pk=held.delivery_id).update(lease_until=Now())
        turns = iter(["lapse", "result"])

        def move(held: Claim = held, turns: Iterator[str] = turns) -> bool:
            if next(turns) == "lapse":
                return conclude(held, State.UNKNOWN, lapsed=True)
            return conclude(held, State.SENT)

        at_once(move, threads=2)

        # Whichever came first: the result settles an unknown, and a lapse leaves a result alone.
        assert Delivery.objects.get(pk=held.delivery_id).state == State.SENT


@pytest.mark.S1
@pytest.mark.S4
def test_twenty_copies_of_one_message_received_at_once_are_sent_once() -> None:
    event = letter()
    letters.town.people = [ANN, letters.BEN]

    def receive() -> str:
        try:
            deliver(event, channel="email", policy=POLICY)
        except Busy:
            return "busy"
        return "done"

    at_once(receive, THREADS)

    assert len(MemoryChannel.outbox("email")) == 2
    assert Delivery.objects.filter(state=State.SENT).count() == 2


@pytest.mark.parametrize("move", [discard, settle])
def test_an_operator_and_the_claims_of_many_do_not_wait_for_each_other(
    move: Callable[[list[UUID]], object],
) -> None:
    """Whose message comes in the order of their events, and whose rows were made in the other."""
    events = sorted((letter() for _ in range(2)), key=lambda event: event.id)
    for event in reversed(events):
        conclude(claim(event), State.UNKNOWN, retry_in=0)
    rows = [Delivery.objects.get(event_id=event.id).pk for event in events]
    assert rows > sorted(rows)

    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic():
            Delivery.objects.filter(pk=rows[0]).locked().get()
            claims = pool.submit(alone, lambda: insert_or_take_over(requests(events), using=DB))
            wait_for(lambda: waiting_for_locks() == 1)
            moved = pool.submit(alone, lambda: move(rows))
            wait_for(lambda: waiting_for_locks() == 2)
        assert all(claims.result().values())
        assert moved.result()


def test_an_answer_outlives_the_connection_it_was_to_be_recorded_on() -> None:
    def cut_the_connection(message: Message) -> Accepted:
        _cut_the_connection()
        return Accepted("sent all the same")

    letters.town.on_send = cut_the_connection

    deliver(letter(), channel="email", policy=POLICY)

    assert Delivery.objects.get().provider_message_id == "sent all the same"


@pytest.mark.parametrize("refused", [True, False])
def test_a_refusal_outlives_the_connection_it_was_to_be_recorded_on(refused: bool) -> None:
    def cut_and_fail(message: Message) -> Accepted:
        _cut_the_connection()
        raise TransientError("too fast", "throttled") if refused else OutcomeUnknown("", "hang_up")

    letters.town.on_send = cut_and_fail

    with pytest.raises(TransientError):
        deliver(letter(), channel="email", policy=POLICY)

    state = State.RETRYING if refused else State.UNKNOWN
    assert Delivery.objects.get().state == state


def test_a_claim_and_its_attempt_are_one_statement() -> None:
    event = letter()
    statements: list[str] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        claim(event)

    assert len(statements) == 1


def test_a_living_lease_cannot_be_declared_lapsed() -> None:
    held = claim(letter())

    assert not conclude(held, State.UNKNOWN, lapsed=True)
    assert Delivery.objects.get().state == State.SENDING


def test_an_attempt_that_is_settled_keeps_its_outcome() -> None:
    held = claim(letter())

    assert conclude(held, State.UNKNOWN)
    assert conclude(held, State.SENT)
    assert not Attempt.objects.close(concluded(held, State.UNKNOWN))
    assert Attempt.objects.get().outcome == Attempt.Outcome.SENT


def test_a_claim_that_is_refused_leaves_no_attempt() -> None:
    event = letter()
    MemoryChannel.script("email", "server_error", times=1)
    with pytest.raises(TransientError):
        deliver(event, channel="email", policy=POLICY)

    assert claim(event).outcome is ClaimOutcome.BUSY
    assert Attempt.objects.count() == 1


def _cut_the_connection() -> None:
    """What a restart of the server does to a connection that lies in the pool."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()

    def terminate() -> None:
        with connection.cursor() as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        connection.close()

    thread = threading.Thread(target=terminate)
    thread.start()
    thread.join()
