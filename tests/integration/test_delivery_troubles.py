"""What went wrong, and what becomes of the delivery and its message."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError, InternalError, OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from notifications import consumers
from notifications.channels.base import Accepted, Message
from notifications.channels.memory import MemoryChannel
from notifications.deliveries import deliver
from notifications.exceptions import (
    AttemptsExhausted,
    Busy,
    OutcomeUnknown,
    PermanentError,
    ProviderPaused,
    TransientError,
)
from notifications.identifiers import uuid7
from notifications.models import Attempt, Delivery, Handled
from tests.integration.letters import ANN, BEN, POLICY, Town, come_due, letter, tell

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("town")]

State, Outcome = Delivery.State, Attempt.Outcome


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


def test_a_process_that_may_open_no_more_files_tries_again(town: Town) -> None:
    """A template, a locale or a module that is read at its first use: the event is not to blame."""
    event = letter()
    town.words = _read_without_a_file_left
    with pytest.raises(TransientError) as told:
        tell(event)
    assert (told.value.code, told.value.retry_after, told.value.counted) == ("EMFILE", 10, True)
    assert str(told.value) == "EMFILE: Too many open files"
    assert Delivery.objects.get().state == State.RETRYING

    town.words = dict
    come_due()
    tell(event)

    assert Delivery.objects.get().state == State.SENT
    assert list(Attempt.objects.order_by("pk").values_list("outcome", "code")) == [
        (Outcome.TRANSIENT, "EMFILE"),
        (Outcome.SENT, ""),
    ]


def test_a_process_that_never_has_a_file_left_gives_up(town: Town) -> None:
    event = letter()
    town.words = _read_without_a_file_left
    for error in (TransientError, TransientError, AttemptsExhausted):
        with pytest.raises(error):
            tell(event)
        come_due()

    assert Delivery.objects.get().last_error == "EMFILE: Too many open files"


def _read_without_a_file_left() -> dict[str, Any]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        return {"slogan": Path(__file__).read_text()}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_message_that_comes_back_too_early_costs_no_attempt() -> None:
    event = letter()
    MemoryChannel.script("email", "server_error", times=1)
    with pytest.raises(TransientError):
        tell(event)

    with pytest.raises(Busy) as told:
        tell(event)

    assert 5 < told.value.seconds <= 10
    assert Attempt.objects.count() == 1


def test_a_message_that_comes_again_before_it_is_a_dead_letter_fails_again() -> None:
    """Its worker died after the row, and before the dead letter. A copy of it does not."""
    event, task = letter(), uuid7()
    MemoryChannel.script("email", "refuse", code="no_such_mailbox", times=1)
    with pytest.raises(PermanentError) as first:
        tell(event, task_id=task)

    with pytest.raises(PermanentError) as again:
        tell(event, task_id=task)
    tell(event)

    assert (again.value.code, again.value.message) == (first.value.code, first.value.message)
    assert again.value.attempts == first.value.attempts == 1
    assert Attempt.objects.count() == 1


def test_attempts_that_are_used_up_are_told_again_as_such() -> None:
    event, task = letter(), uuid7()
    MemoryChannel.script("email", "server_error")
    for error in (TransientError, TransientError, AttemptsExhausted):
        with pytest.raises(error):
            tell(event, task_id=task)
        come_due()

    with pytest.raises(AttemptsExhausted) as again:
        tell(event, task_id=task)

    assert again.value.attempts == 3
    assert Attempt.objects.count() == 3


def test_who_is_tried_again_does_not_hide_who_was_given_up(town: Town) -> None:
    """Two recipients of one message: it is a dead letter when the other has been told."""
    event, task = letter(), uuid7()
    town.people = [ANN, BEN]
    MemoryChannel.script("email", "refuse", code="no_such_mailbox", address=ANN.address, times=1)
    MemoryChannel.script("email", "server_error", address=BEN.address, times=1)
    with pytest.raises(TransientError):
        tell(event, task_id=task)
    come_due()

    with pytest.raises(PermanentError, match="no_such_mailbox"):
        tell(event, task_id=task)

    states = Delivery.objects.values_list("recipient", "state")
    assert dict(states) == {ANN.reference: State.FAILED, BEN.reference: State.SENT}


def test_what_an_operator_settled_as_failed_is_no_dead_letter() -> None:
    event, task = letter(), uuid7()
    MemoryChannel.script("email", "accept_then_drop", times=1)
    with pytest.raises(TransientError):
        tell(event, task_id=task)
    Delivery.objects.all().settle_by_operator(State.FAILED, note="Settled as failed by mira: gone")

    tell(event, task_id=task)

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


def test_what_a_paused_account_cost_is_not_missing_from_the_retries() -> None:
    event = letter()
    MemoryChannel.script("email", "refuse", code="provider_paused", times=3)
    MemoryChannel.script("email", "server_error", times=2)

    for _ in range(5):
        with pytest.raises(TransientError):
            tell(event)
        come_due()
    tell(event)

    assert (Delivery.objects.get().state, Delivery.objects.get().attempts) == (State.SENT, 6)


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


def test_a_soft_time_limit_leaves_the_other_recipients_to_a_redrive(town: Town) -> None:
    def be_late(message: Message) -> Accepted:
        raise SoftTimeLimitExceeded

    town.people, town.on_send = [ANN, BEN], be_late
    with pytest.raises(SoftTimeLimitExceeded):
        tell(letter())
    assert list(Delivery.objects.values_list("recipient", "state")) == [
        (ANN.reference, State.UNKNOWN)
    ]


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


def test_a_hook_that_goes_on_in_a_transaction_that_has_failed_is_given_up(town: Town) -> None:
    def swallow() -> dict[str, Any]:
        with transaction.atomic(), connection.cursor() as cursor:
            with suppress(DatabaseError):
                cursor.execute("SELECT 1 / 0")
            cursor.execute("SELECT 1")
        return {}

    town.words = swallow
    with pytest.raises(InternalError):
        tell(letter())
    assert Delivery.objects.get().state == State.FAILED


@pytest.mark.parametrize("unkept", ["\0", "\ud83d"])
def test_no_text_of_a_provider_s_costs_the_outcome(town: Town, unkept: str) -> None:
    """It was sent: were that lost, a redrive would send it again."""
    town.on_send = lambda message: Accepted(f"m{unkept}-1", f"taken{unkept}")
    tell(letter())
    assert Delivery.objects.get().provider_message_id == "m-1"

    def refuse(message: Message) -> Accepted:
        raise TransientError(f"cut{unkept}", f"busy{unkept}")

    town.on_send = refuse
    with pytest.raises(TransientError):
        tell(event := letter())
    assert Delivery.objects.get(event_id=event.id).last_error == "busy: cut"


@pytest.mark.parametrize("unkept", ["\0", "\ud83d"])
def test_no_text_of_the_shop_s_costs_the_outcome(town: Town, unkept: str) -> None:
    town.untrue = f"cancelled{unkept}"
    tell(letter())
    assert Delivery.objects.get().reason == "no_longer_true: cancelled"


def test_an_unknown_outcome_names_its_code_on_the_attempt(town: Town) -> None:
    def hang_up(message: Message) -> Accepted:
        raise OutcomeUnknown("no answer", "read_timeout")

    town.on_send = hang_up
    tell(letter(), "sms")

    assert Attempt.objects.get().code == "read_timeout"


def test_what_is_given_up_says_how_many_attempts_its_delivery_took() -> None:
    event = letter()
    MemoryChannel.script("email", "server_error", times=2)
    for _ in range(2):
        with pytest.raises(TransientError):
            tell(event)
        come_due()
    MemoryChannel.script("email", "refuse", code="MessageRejected")

    with pytest.raises(PermanentError) as told:
        tell(event)

    assert told.value.attempts == 3  # type: ignore[attr-defined]


@pytest.fixture
def _time_for_one() -> Iterator[None]:
    """No run may begin a second send."""
    email = consumers.get("email")
    consumers.register(replace(email, max_seconds=15))
    yield
    consumers.register(email)


@pytest.mark.usefixtures("_time_for_one")
def test_whom_a_run_has_no_time_for_is_told_in_the_next_which_comes_at_once(town: Town) -> None:
    people = [replace(ANN, reference=f"customer/{number}") for number in range(3)]
    town.people = people
    event = letter()

    for count in (1, 2):
        with pytest.raises(Busy) as told:
            tell(event)
        assert (told.value.code, told.value.seconds) == ("more_to_tell", 0)
        assert len(MemoryChannel.outbox("email")) == count
    tell(event)

    assert Delivery.objects.filter(state=State.SENT).count() == len(people)
    assert Attempt.objects.count() == len(people)


def test_however_many_were_told_a_run_passes_over_them_in_one_statement(
    town: Town, django_assert_max_num_queries: Any
) -> None:
    """Or the run would be over before it came to the next: of ten thousand, none was told more."""
    told = [replace(ANN, reference=f"partner/{number}") for number in range(200)]
    refused = replace(ANN, reference="partner/no")
    town.people, event, task = [refused, *told], letter(), uuid7()
    MemoryChannel.script("email", "refuse", code="MessageRejected", times=1)
    with pytest.raises(PermanentError):
        tell(event, task_id=task)

    town.people = [refused, *told, BEN]
    with django_assert_max_num_queries(25), pytest.raises(PermanentError):
        tell(event, task_id=task)  # what this very message gave up it raises until it is buried

    sent = [each.address for each in MemoryChannel.outbox("email")]
    assert sent == [ANN.address] * len(told) + [BEN.address]


@pytest.mark.usefixtures("_time_for_one")
def test_who_is_tried_again_later_waits_though_the_rest_is_told_at_once(town: Town) -> None:
    town.people = [ANN, BEN]
    event = letter()
    MemoryChannel.script("email", "server_error", times=1)

    with pytest.raises(Busy, match="more_to_tell"):
        tell(event)
    with pytest.raises(Busy) as told:
        tell(event)

    assert 5 < told.value.seconds <= 10, "Ann's wait"
    states = dict(Delivery.objects.values_list("recipient", "state"))
    assert states == {ANN.reference: State.RETRYING, BEN.reference: State.SENT}
    assert Attempt.objects.count() == 2


def test_who_is_gone_when_the_message_comes_again_is_skipped_and_the_others_are_told(
    town: Town,
) -> None:
    town.people = [ANN, BEN]
    event = letter()
    MemoryChannel.script("email", "server_error", times=2)
    with pytest.raises(TransientError):
        tell(event)

    town.people = [BEN]
    come_due()
    deliver(event, channel="email", policy=POLICY, again=True)

    ended = dict(Delivery.objects.values_list("recipient", "state"))
    assert ended == {ANN.reference: State.SKIPPED, BEN.reference: State.SENT}


@pytest.mark.parametrize("generation", [0, 1])
def test_what_its_message_never_came_to_fails_with_it(generation: int) -> None:
    event = letter(generation=generation)
    MemoryChannel.script("email", "server_error", times=1)
    with pytest.raises(TransientError):
        tell(event)

    Handled.objects.mark_failed("email", event, PermanentError("there is no such order"))

    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason) == (State.FAILED, "given_up")
