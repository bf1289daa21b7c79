"""A send waits for its turn: one that was bought before, or one that it buys at the last moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from notifications import pauses, switches
from notifications.accounts import UNLIMITED, Account
from notifications.exceptions import Busy, TransientError
from notifications.models import Breaker, Pause, RateLimit
from notifications.worker import turns
from notifications.worker.account import HELD_FOR, account_of
from tests.integration.together import all_at_once, at_once

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Request:
    headers: dict[str, Any] | None


@dataclass
class Task:
    """As much of a task as an account looks at."""

    rate_limit: str | None = "5/s"
    queue: str = "email"
    headers: dict[str, Any] = field(default_factory=dict)

    @property
    def request(self) -> Request:
        return Request({"consumer": "email", "queue": self.queue, **self.headers})


@pytest.fixture(autouse=True)
def _start_anew() -> Iterator[None]:
    """As a process that has just been started."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    turns._start_anew_in_child()
    switches.look_again()


def wait(weight: int = 1, *, rate: float | None = 5.0, horizon: float = 2.0) -> float:
    """The seconds for which the send waited."""
    since = time.monotonic()
    turns.wait("email", weight, declared=rate, horizon=horizon)
    return time.monotonic() - since


def granted() -> int:
    return sum(RateLimit.objects.values_list("granted", flat=True))


def use_up(seconds: float) -> None:
    """Nothing more is to be had for so long."""
    RateLimit.objects.grant("email", 5.0, most=1, horizon=0)
    RateLimit.objects.update(next_at=Now() + timedelta(seconds=seconds), granted=0)


def test_sends_one_after_another_are_an_interval_apart() -> None:
    wait()
    assert 0.1 < wait() < 0.5


def test_a_turn_that_was_bought_before_is_taken_first_and_its_moment_waited_for() -> None:
    turns.deposit("email", [time.monotonic() + 0.2])

    assert 0.15 < wait() < 0.5
    assert granted() == 0


def test_a_turn_that_nobody_took_is_the_next_ones() -> None:
    use_up(10)
    turns.deposit("email", [time.monotonic(), time.monotonic() + 0.1])

    wait()
    wait()

    with pytest.raises(Busy):
        wait()


def test_a_turn_that_is_too_late_is_void_and_another_is_bought() -> None:
    turns.deposit("email", [time.monotonic() - 0.3])

    wait()

    assert granted() == 1


def test_a_turn_that_is_too_far_ahead_is_not_waited_for_but_slept_for() -> None:
    use_up(5)

    with pytest.raises(Busy) as busy:
        wait(horizon=2.0)

    assert 2.5 < busy.value.seconds < 4.5
    assert granted() == 0


def test_a_send_of_several_units_waits_for_its_last_and_buys_what_is_lacking() -> None:
    turns.deposit("email", [time.monotonic()])

    assert 0.15 < wait(3) < 0.6
    assert granted() == 2


def test_a_send_that_gets_no_turn_leaves_those_it_had_to_others() -> None:
    use_up(10)
    turns.deposit("email", [time.monotonic() + 0.05])

    with pytest.raises(Busy):
        wait(2)

    assert wait() < 0.3


def test_what_has_no_limit_asks_nobody() -> None:
    wait(rate=None)
    with connection.execute_wrapper(_refuse):
        assert wait(rate=None) < 0.1


def test_no_connection_is_held_while_a_send_waits() -> None:
    wait()
    turns.deposit("email", [time.monotonic() + 0.05])

    wait()

    assert connection.connection is None


def test_a_task_called_by_hand_is_held_back_by_nothing() -> None:
    @dataclass
    class ByHand:
        rate_limit: str = "5/s"
        request: Request = field(default_factory=lambda: Request(None))

    with account_of(ByHand()) as account:
        assert account is UNLIMITED


def test_what_came_from_the_bulk_queue_reserves_less_far_ahead() -> None:
    use_up(1)
    with account_of(Task(queue="email-bulk")) as account, pytest.raises(Busy):
        account.wait_turn(1)
    assert granted() == 0

    with account_of(Task()) as account:
        account.wait_turn(1)
    assert granted() == 1


def test_the_turn_of_a_message_that_needs_none_is_the_next_ones() -> None:
    use_up(10)
    with account_of(Task(headers={"turn": time.monotonic()})):
        pass

    with account_of(Task()) as account:
        account.wait_turn(1)


def test_a_paused_queue_and_an_account_left_alone_are_not_sent_through() -> None:
    pauses.pause(Pause.Kind.QUEUE, "email-bulk", by="ada", reason="x")
    assert isinstance(_check(Task(queue="email-bulk")), Busy)
    assert _check(Task()) is None

    Breaker.objects.failed("email", "down", at_once=True, retry_after=60)
    switches.look_again()
    busy = _check(Task())
    assert isinstance(busy, Busy)
    assert 0 < busy.seconds <= HELD_FOR, "its message lies in SQS, to be seen"


def test_the_message_of_a_probe_may_pass_once() -> None:
    Breaker.objects.failed("email", "down", at_once=True, retry_after=60)
    with account_of(Task(headers={"probe": True})) as account:
        account.check()
        account.wait_turn(1)
        account.report(TransientError("still down"))
        switches.look_again()
        with pytest.raises(Busy):
            account.check()


def test_a_probe_that_asked_no_provider_gives_way_to_another() -> None:
    Breaker.objects.failed("email", "down", at_once=True, retry_after=0)
    assert Breaker.objects.try_probe("email", timedelta(minutes=1))
    switches.look_again()

    with account_of(Task(headers={"probe": True})) as account:
        account.check()

    assert Breaker.objects.try_probe("email", timedelta(minutes=1))


def _check(task: Task) -> Busy | None:
    with account_of(task) as account:
        return _raised(account)


def _raised(account: Account) -> Busy | None:
    try:
        account.check()
    except Busy as busy:
        return busy
    return None


def _refuse(*_: Any) -> Any:
    raise AssertionError("a statement was run")


def test_of_many_sends_that_lack_a_turn_at_once_each_gets_its_own_or_is_told_to_wait() -> None:
    def send() -> float | None:
        try:
            wait(rate=10.0, horizon=0.45)
        except Busy:
            return None
        return time.monotonic()

    sent_at = sorted(filter(None, at_once(send, threads=12)))

    # One a tenth of a second, and the first at once: 0, 0.1, 0.2, 0.3 and 0.4, a few more if some
    # of the threads asked later.
    assert 5 <= len(sent_at) == granted() < 12
    assert sent_at[-1] - sent_at[0] > 0.3


def test_a_send_of_several_units_is_granted_by_itself_among_sends_of_one() -> None:
    works = [partial(wait, weight, rate=100.0) for weight in (1, 1, 3, 1, 1, 1, 2, 1)]

    all_at_once(works)

    assert granted() == 11


def test_of_turns_with_one_moment_each_is_its_own() -> None:
    now = time.monotonic()
    turns.deposit("email", [now, now, now])
    assert turns.draw("email", 1, late=1.0) == (now,)
    assert turns.draw("email", 5, late=1.0) == (now, now)


def test_turns_that_nobody_takes_do_not_pile_up() -> None:
    long_ago = time.monotonic() - 60
    turns.deposit("email", [long_ago] * 5000)
    assert turns.draw("email", 5000, late=120.0) == ()


def test_a_message_that_found_no_turn_sleeps_for_seconds_however_slow_the_limit() -> None:
    use_up(3600)
    with pytest.raises(Busy) as busy:
        wait(rate=10 / 3600)
    assert busy.value.seconds <= turns.LONGEST_SLEEP + 1


def test_what_comes_between_the_wait_and_the_send_makes_the_turn_void() -> None:
    checks: list[float] = []

    def slow_once() -> None:
        if not checks:
            time.sleep(0.3)  # longer than a turn of 5 a second is valid
        checks.append(time.monotonic())

    turns.wait("email", 1, declared=5.0, horizon=2.0, check=slow_once)
    assert len(checks) == 2
    assert granted() == 2
