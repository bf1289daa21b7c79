"""Many claims, and many conclusions, in one statement on PostgreSQL."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import DataError, connection, transaction

from notifications.conf import Route
from notifications.deliveries import deliver
from notifications.envelope import Envelope
from notifications.models import Attempt, Delivery
from notifications.models.claim import Claim, ClaimOutcome, insert_or_take_over
from notifications.models.conclusion import Conclusion, conclude
from tests.integration.letters import ANN, POLICY, letter, request_for
from tests.integration.together import all_at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("town")]

State, Outcome = Delivery.State, Attempt.Outcome


def claim(event: Envelope, *, task_id: str | None = None) -> Claim:
    return Delivery.objects.claim(
        event,
        channel="email",
        route=Route("email"),
        recipient=ANN,
        lease=timedelta(seconds=30),
        task_id=task_id,
    )


def sent(held: Claim) -> Conclusion:
    return Conclusion(
        claim=held,
        state=State.SENT,
        outcome=Outcome.SENT,
        provider="p",
        provider_message_id=f"id of {held.delivery_id}",
        template_version="1",
        duration_ms=7,
    )


@contextmanager
def statements() -> Iterator[list[str]]:
    found: list[str] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        found.append(sql)
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        yield found


def test_claims_of_fresh_open_and_held_deliveries_are_one_statement() -> None:
    fresh, open_again, held = letter(), letter(), letter()
    first = claim(open_again)
    Delivery.objects.conclude(
        Conclusion(claim=first, state=State.RETRYING, outcome=Outcome.TRANSIENT, retry_in=0)
    )
    claim(held)
    requests = [request_for(event) for event in (fresh, open_again, held)]

    with statements() as found:
        answers = insert_or_take_over(requests, using="default")

    one, two, none = (answers[request.key] for request in requests)
    assert len(found) == 1
    assert one
    assert two
    assert none is None
    assert (one.token, two.token) == (requests[0].token, requests[1].token)
    assert (one.number, two.number, two.delivery_id) == (1, 2, first.delivery_id)
    assert Attempt.objects.filter(outcome=Outcome.STARTED).count() == 3


def test_conclusions_are_one_statement_and_each_is_about_its_own_delivery() -> None:
    held = [claim(letter()) for _ in range(3)]
    stolen = replace(claim(letter()), token=uuid4())
    retried = claim(letter())
    every = [
        *map(sent, held),
        sent(stolen),
        Conclusion(
            claim=retried,
            state=State.RETRYING,
            outcome=Outcome.TRANSIENT,
            retry_in=60,
            code="throttled",
            detail="too fast",
        ),
    ]

    with statements() as found:
        answers = conclude(every, using="default")

    assert len(found) == 1
    assert answers == dict.fromkeys(
        (each.claim.delivery_id for each in [*every[:3], every[4]]), True
    )
    for each in held:
        delivery = Delivery.objects.get(pk=each.delivery_id)
        assert (delivery.state, delivery.provider_message_id) == (
            State.SENT,
            f"id of {each.delivery_id}",
        )
        assert delivery.sent_at == delivery.finished_at is not None
        assert delivery.attempt_log.get().outcome == Outcome.SENT
    waiting = Delivery.objects.get(pk=retried.delivery_id)
    assert (waiting.state, waiting.last_error, waiting.finished_at) == (
        State.RETRYING,
        "too fast",
        None,
    )
    assert Delivery.objects.get(pk=stolen.delivery_id).state == State.SENDING
    assert Attempt.objects.filter(outcome=Outcome.STARTED).count() == 1


def test_a_conclusion_in_company_waits_for_nobodys_lock() -> None:
    locked, free = claim(letter()), claim(letter())

    def conclude_both() -> Mapping[Hashable, bool]:
        try:
            return conclude([sent(locked), sent(free)], using="default")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as elsewhere, transaction.atomic():
        Delivery.objects.select_for_update().get(pk=locked.delivery_id)
        answers = elsewhere.submit(conclude_both).result(timeout=5)

    assert answers == {free.delivery_id: True}
    assert conclude([sent(locked)], using="default") == {locked.delivery_id: True}


def test_deliveries_of_many_threads_with_copies_among_them_are_sent_once_each() -> None:
    events = [letter() for _ in range(8)]

    def receive(event: Envelope) -> str:
        return claim(event).outcome.value

    answers = all_at_once([partial(receive, event) for event in [*events, *events]])

    assert answers.count(ClaimOutcome.CLAIMED.value) == len(events)
    assert answers.count(ClaimOutcome.BUSY.value) == len(events)
    assert Attempt.objects.count() == Delivery.objects.count() == len(events)


def test_whole_deliveries_of_many_threads_are_all_on_record() -> None:
    events = [letter() for _ in range(16)]

    all_at_once([partial(deliver, event, channel="email", policy=POLICY) for event in events])

    assert Delivery.objects.filter(state=State.SENT).count() == len(events)
    assert Attempt.objects.filter(outcome=Outcome.SENT).count() == len(events)


def test_one_poisoned_row_fails_alone() -> None:
    def work(number: int) -> str:
        try:
            return claim(letter(), task_id="no uuid" if number == 5 else None).outcome.value
        except DataError:
            return "refused"

    answers = all_at_once([partial(work, number) for number in range(16)])

    assert [number for number, answer in enumerate(answers) if answer == "refused"] == [5]
    assert answers.count(ClaimOutcome.CLAIMED.value) == Delivery.objects.count() == 15


def test_a_claim_whose_answer_was_lost_is_known_again_by_its_token() -> None:
    event = letter()
    request = request_for(event)
    insert_or_take_over([request], using="default")

    assert insert_or_take_over([request], using="default") == {request.key: None}
    claimed = Delivery.objects.answer(request)

    assert (claimed.outcome, claimed.token) == (ClaimOutcome.CLAIMED, request.token)
    assert Delivery.objects.answer(request_for(event)).outcome is ClaimOutcome.BUSY
