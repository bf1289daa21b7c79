"""A channel with two providers: which of them is handed a message, and when it is the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from notifications import breakers, pauses, switches
from notifications.channels.memory import MemoryChannel
from notifications.conf import ChannelConf, ProviderConf
from notifications.deliveries import deliver
from notifications.envelope import Envelope
from notifications.exceptions import (
    AttemptsExhausted,
    Busy,
    PermanentError,
    TransientError,
)
from notifications.identifiers import uuid7
from notifications.models import Attempt, Breaker, Delivery, Pause, RateLimit
from notifications.models.settlement import Word
from notifications.worker import turns
from notifications.worker.account import account_of
from tests.integration.letters import ANN, BEN, POLICY, Town, come_due, letter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("town")]

State, Outcome = Delivery.State, Attempt.Outcome

MEMORY = "notifications.channels.memory.MemoryChannel"
FIRST, OTHER = "email.first", "email.other"


@pytest.fixture(autouse=True)
def _start_anew() -> Iterator[None]:
    """As a process that has just been started."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    turns._start_anew_in_child()
    breakers._failed_here.clear()
    switches.look_again()


@pytest.fixture(autouse=True)
def two(settings: Any, town: Town) -> Any:
    """`two(first="1/s")`: with these limits. All but one of a million deliveries prefer `first`."""

    def two(first: str = "none", other: str = "none") -> None:
        for channel in ("email", "sms"):
            providers = (
                ProviderConf("first", MEMORY, {"channel": "first"}, 1_000_000, first),
                ProviderConf("other", MEMORY, {"channel": "other"}, 1, other),
            )
            settings.NOTIFICATIONS = {
                **settings.NOTIFICATIONS,
                "CHANNELS": {
                    **settings.NOTIFICATIONS["CHANNELS"],
                    channel: ChannelConf(providers=providers),
                },
            }

    two()
    return two


@dataclass
class Request:
    headers: dict[str, Any]


@dataclass
class Task:
    """As much of a task as its accounts look at."""

    channel: str = "email"
    rate_limit: str | None = None
    headers: dict[str, Any] = field(default_factory=dict)

    @property
    def request(self) -> Request:
        return Request({"consumer": self.channel, "queue": self.channel, **self.headers})


def tell(event: Envelope, channel: str = "email", **headers: Any) -> None:
    """What a worker does with one message."""
    with account_of(Task(channel, headers=headers)) as account:
        deliver(event, channel=channel, policy=POLICY, account=account, task_id=uuid7())


def asked() -> list[tuple[str, str]]:
    return list(Attempt.objects.order_by("pk").values_list("provider", "outcome"))


def taken(provider: str) -> int:
    return len(MemoryChannel.outbox(provider))


def is_open(account: str) -> bool:
    return Breaker.objects.filter(account=account, state=Breaker.State.OPEN).exists()


def leave_alone(account: str) -> None:
    Breaker.objects.failed(account, "it is down", at_once=True, retry_after=60)
    switches.look_again()


def let_probe(account: str) -> None:
    assert Breaker.objects.filter(account=account).update(probe_at=Now())
    switches.look_again()


def test_the_attempt_and_the_delivery_say_by_whom_it_was_sent() -> None:
    tell(letter())

    assert asked() == [("first", Outcome.SENT)]
    assert Delivery.objects.get().provider == "first"
    assert taken("first") == 1


def test_who_refuses_the_account_is_left_alone_and_the_other_has_the_message_at_once() -> None:
    MemoryChannel.script("first", "refuse", code="provider_paused")

    tell(letter())
    tell(letter())

    assert asked() == [
        ("first", Outcome.PAUSED),
        ("other", Outcome.SENT),
        ("other", Outcome.SENT),
    ], "the second message does not ask the first any more"
    assert is_open(FIRST)
    assert not is_open(OTHER)
    assert {delivery.provider for delivery in Delivery.objects.all()} == {"other"}


def test_a_refused_account_costs_no_try_and_may_still_take_it_when_they_are_used_up() -> None:
    MemoryChannel.script("first", "refuse", code="provider_paused", times=1)
    MemoryChannel.script("other", "server_error")
    event = letter()

    for _ in range(POLICY.max_retries or 0):
        with pytest.raises(TransientError):
            tell(event)
        come_due()
    with pytest.raises(Busy) as busy:
        tell(event)
    assert busy.value.code == "left_alone"
    assert asked() == [("first", Outcome.PAUSED), *[("other", Outcome.TRANSIENT)] * 3]

    let_probe(FIRST)
    come_due()
    tell(event)

    assert asked()[-1] == ("first", Outcome.SENT)


def test_what_one_refuses_as_none_of_its_own_the_other_takes_and_the_first_is_asked_no_more() -> (
    None
):
    MemoryChannel.script("first", "refuse", code="elsewhere")
    MemoryChannel.script("other", "server_error", times=1)
    event = letter()

    with pytest.raises(TransientError):
        tell(event)
    come_due()
    tell(event)

    assert asked() == [
        ("first", Outcome.PERMANENT),
        ("other", Outcome.TRANSIENT),
        ("other", Outcome.SENT),
    ]
    assert not is_open(FIRST), "the account is well"


def test_what_nobody_takes_has_failed_for_good() -> None:
    for provider in ("first", "other"):
        MemoryChannel.script(provider, "refuse", code="elsewhere")

    with pytest.raises(PermanentError):
        tell(letter())

    assert asked() == [("first", Outcome.PERMANENT), ("other", Outcome.PERMANENT)]
    assert Delivery.objects.get().state == State.FAILED


def test_a_refusal_that_is_no_providers_own_is_final() -> None:
    MemoryChannel.script("first", "refuse", code="MessageRejected")

    with pytest.raises(PermanentError):
        tell(letter())

    assert asked() == [("first", Outcome.PERMANENT)]
    assert Delivery.objects.get().state == State.FAILED


def test_who_fails_for_now_is_asked_again_and_when_its_tries_are_used_up_the_other_once() -> None:
    MemoryChannel.script("first", "server_error")
    event = letter()

    for _ in range(POLICY.max_retries or 0):
        with pytest.raises(TransientError):
            tell(event)
        come_due()
    tell(event)

    assert asked() == [*[("first", Outcome.TRANSIENT)] * 3, ("other", Outcome.SENT)]


def test_when_the_other_fails_as_well_the_tries_are_used_up() -> None:
    for provider in ("first", "other"):
        MemoryChannel.script(provider, "server_error")
    event = letter()

    for _ in range(POLICY.max_retries or 0):
        with pytest.raises(TransientError):
            tell(event)
        come_due()
    with pytest.raises(AttemptsExhausted):
        tell(event)

    assert [provider for provider, _ in asked()] == ["first"] * 3 + ["other"]
    assert Delivery.objects.get().reason == "attempts_exhausted"


def test_an_account_that_is_left_alone_is_passed_over() -> None:
    leave_alone(FIRST)

    tell(letter())

    assert asked() == [("other", Outcome.SENT)]


def test_when_all_are_left_alone_the_message_waits_and_costs_nothing() -> None:
    leave_alone(FIRST)
    leave_alone(OTHER)

    with pytest.raises(Busy) as busy:
        tell(letter())

    assert busy.value.code == "left_alone"
    assert not Delivery.objects.exists()


def test_a_message_that_only_one_may_take_sleeps_while_that_one_is_left_alone() -> None:
    MemoryChannel.script("first", "refuse", code="elsewhere")
    leave_alone(OTHER)

    with pytest.raises(Busy) as busy:
        tell(letter())

    assert busy.value.seconds > 10, "the first is in use, so its queue is polled all the time"
    assert asked() == [("first", Outcome.PERMANENT)]
    assert Delivery.objects.get().state == State.RETRYING


@pytest.mark.parametrize(
    ("channel", "then"),
    [("email", [("first", Outcome.SENT)]), ("sms", [])],
)
def test_what_may_have_been_sent_is_no_reason_to_ask_another(
    channel: str, then: list[tuple[str, str]]
) -> None:
    MemoryChannel.script("first", "hang", times=1)
    event = letter()
    if channel == "email":
        with pytest.raises(TransientError):
            tell(event, channel)
        come_due()
    else:
        tell(event, channel)
    tell(event, channel)

    assert asked() == [("first", Outcome.UNKNOWN), *then]
    assert taken("other") == 0


def test_what_may_have_been_sent_waits_for_the_same_also_when_that_is_left_alone() -> None:
    MemoryChannel.script("first", "hang", times=1)
    event = letter()
    with pytest.raises(TransientError):
        tell(event)
    come_due()
    leave_alone(FIRST)

    with pytest.raises(Busy):
        tell(event)
    let_probe(FIRST)
    come_due()
    tell(event)

    assert asked() == [("first", Outcome.UNKNOWN), ("first", Outcome.SENT)]


def test_the_weights_hold_again_when_a_message_went_through() -> None:
    leave_alone(FIRST)
    tell(letter())
    let_probe(FIRST)

    tell(letter())
    tell(letter())

    assert [provider for provider, _ in asked()] == ["other", "first", "first"]
    assert not is_open(FIRST)


def test_a_probe_that_fails_is_sent_by_the_other_and_the_account_left_alone_for_longer() -> None:
    MemoryChannel.script("first", "refuse", code="provider_paused")
    tell(letter())
    let_probe(FIRST)

    tell(letter())
    tell(letter())

    assert [provider for provider, _ in asked()] == ["first", "other", "first", "other", "other"]
    assert Breaker.objects.get(account=FIRST).openings == 2
    assert taken("other") == 3


def test_a_probe_that_is_another_workers_is_passed_over() -> None:
    leave_alone(FIRST)
    let_probe(FIRST)
    assert Breaker.objects.try_probe(FIRST, timedelta(minutes=1))

    tell(letter())

    assert asked() == [("other", Outcome.SENT)]


def test_a_message_that_could_probe_and_has_nobody_to_tell_leaves_the_probe(town: Town) -> None:
    leave_alone(FIRST)
    let_probe(FIRST)
    town.untrue = "the order was cancelled"

    tell(letter())

    assert Breaker.objects.may_probe(FIRST)


def test_each_has_a_limit_of_its_own_and_what_the_first_has_no_turn_for_the_other_sends(
    two: Any, town: Town
) -> None:
    two(first="1/m")
    town.people = [ANN, BEN]

    tell(letter())

    assert [provider for provider, _ in asked()] == ["first", "other"]
    assert RateLimit.objects.get(account=FIRST).granted == 1


def test_a_message_that_nobody_has_a_turn_for_costs_no_attempt(two: Any) -> None:
    two(first="1/m", other="1/m")
    tell(letter())
    tell(letter())

    with pytest.raises(Busy):
        tell(letter())

    assert {provider for provider, _ in asked()} == {"first", "other"}
    assert Attempt.objects.count() == 2


def test_a_turn_that_came_with_the_message_is_used_or_left_to_whoever_needs_it(two: Any) -> None:
    two(first="1/m", other="1/m")
    tell(letter(), turn=time.monotonic(), account=OTHER)  # prefers the first, which has one too
    tell(letter())  # finds the turn that was laid down

    assert [provider for provider, _ in asked()] == ["first", "other"]
    assert not RateLimit.objects.filter(account=OTHER, granted__gt=0).exists()


def test_two_accounts_of_one_kind_are_told_apart_whatever_a_receipt_calls_them() -> None:
    MemoryChannel.script("first", "hang")
    with pytest.raises(TransientError):
        tell(letter())
    delivery = Delivery.objects.get()

    said = Word(delivery.pk, 0, 1, "ses", "id-1", "delivered", "", "", Now())  # type: ignore[arg-type]
    Attempt.objects.tell_better(said)

    assert asked() == [("first", Outcome.SENT)]


def test_where_both_have_used_up_the_tries_between_them_it_has_failed() -> None:
    for provider in ("first", "other"):
        MemoryChannel.script(provider, "server_error", times=None)
    event = letter()
    leave_alone(FIRST)
    with pytest.raises(TransientError):
        tell(event)
    come_due()
    Breaker.objects.all().delete()
    _forget()

    for _ in range(POLICY.max_retries or 0):
        with pytest.raises((TransientError, AttemptsExhausted)):
            tell(event)
        come_due()

    assert Delivery.objects.get().reason == "attempts_exhausted"
    assert [provider for provider, _ in asked()] == ["other", "first", "first", "first"]


def test_one_that_an_operator_has_paused_is_passed_over_until_it_is_resumed() -> None:
    pauses.pause(Pause.Kind.PROVIDER, FIRST, by="ada", reason="it bounces")
    tell(letter())

    pauses.resume(Pause.Kind.PROVIDER, FIRST, by="ada")
    tell(letter())

    assert asked() == [("other", Outcome.SENT), ("first", Outcome.SENT)]


def test_when_all_are_paused_the_message_waits_and_costs_nothing() -> None:
    for account in (FIRST, OTHER):
        pauses.pause(Pause.Kind.PROVIDER, account, by="ada", reason="it bounces")

    with pytest.raises(Busy, match=r"provider email\.first paused by ada: it bounces"):
        tell(letter())
    assert not asked()
