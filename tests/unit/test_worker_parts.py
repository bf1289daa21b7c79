"""The worker's small parts, each alone: slots, holds, threads, the timer, back-off."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from notifications.worker.backoff import back_off
from notifications.worker.inflight import InFlight
from notifications.worker.permit import Permit
from notifications.worker.queues import PolledQueue
from notifications.worker.received import Received
from notifications.worker.slots import MOST, Slots
from notifications.worker.threads import Threads, Timer
from tests.waiting import wait_for

QUEUE = PolledQueue("probe", "test-probe", "probe", "probe.run", "test-probe-dlq", 60)


def received(handle: str) -> Received:
    return Received.of(QUEUE, {"MessageId": "m", "ReceiptHandle": handle, "Body": "{}"})


def test_slots_are_granted_up_to_what_is_free() -> None:
    slots = Slots(15, on_free=lambda: None)
    assert slots.reserve("probe", 1, 10) == 10
    assert slots.reserve("probe", 1, 10) == 5
    assert slots.reserve("probe", 1, 10) == 0


def test_a_refused_reservation_is_called_back_when_enough_is_free() -> None:
    calls: list[int] = []
    slots = Slots(10, on_free=lambda: calls.append(slots.used))
    slots.reserve("probe", 1, 10)
    assert slots.reserve("probe", 5, 10) == 0
    slots.release("probe", 4)
    assert not calls
    slots.release("probe")
    assert calls == [5]
    slots.release("probe")
    assert calls == [5], "once for each refusal"


def test_a_refused_reservation_is_called_back_though_the_window_has_closed_below_it() -> None:
    calls: list[int] = []
    slots = Slots(4, on_free=lambda: calls.append(slots.used))
    slots.capacity = 20  # as a quick task opened it
    slots.reserve("probe", 1, 20)
    assert slots.reserve("probe", 10, 10) == 0
    slots.capacity = 4  # as a slow one closed it again
    slots.release("probe", 18)
    assert calls == [2]


def test_of_two_consumers_neither_has_more_than_half() -> None:
    calls: list[int] = []
    slots = Slots(12, on_free=lambda: calls.append(slots.used))
    slots.divide(2)
    assert slots.reserve("sms", 1, 10) == 6
    assert slots.reserve("sms", 1, 10) == 0
    assert slots.reserve("email", 1, 10) == 6
    slots.release("email", 6)
    assert not calls, "that is room for email, and none is for SMS"
    slots.release("sms")
    assert calls == [5]


def test_of_one_slot_two_consumers_have_it_in_turn() -> None:
    slots = Slots(1, on_free=lambda: None)
    slots.divide(2)
    assert slots.reserve("sms", 1, 10) == 1
    assert slots.reserve("email", 1, 10) == 0
    slots.release("sms")
    assert slots.reserve("email", 1, 10) == 1


def test_a_consumer_that_is_shut_out_has_no_slot_until_one_of_its_messages_is_finished() -> None:
    calls: list[int] = []
    slots = Slots(10, on_free=lambda: calls.append(slots.used))
    slots.reserve("probe", 1, 4)
    slots.shut("probe")
    assert slots.reserve("probe", 1, 1) == 0
    slots.release("probe", 3)
    assert not calls
    slots.release("probe", finished=True)
    assert calls == [0]
    assert slots.reserve("probe", 1, 10) == 10


def test_the_window_opens_with_the_pace_and_closes_with_it() -> None:
    slots = Slots(8, on_free=lambda: None)
    deadline = time.monotonic() + 5
    while slots.capacity == 8 and time.monotonic() < deadline:
        slots.release("probe", slots.reserve("probe", 1, 8), finished=True)
    assert slots.capacity == MOST, "a very fast task"

    def finish_one_slowly() -> bool:
        slots.release("probe", slots.reserve("probe", 1, 1), finished=True)
        return slots.capacity < 20

    wait_for(finish_one_slowly)


@pytest.mark.parametrize(
    ("permit", "count", "seconds", "shown"),
    [
        (Permit(10, 0), 10, 0.01, True),
        (Permit(10, 0), 9, 0.01, False),
        (Permit(1, 20, limited=True), 1, 0.02, True),
        (Permit(1, 20, limited=True), 1, 7.0, False),
        (Permit(1, 2, probe=True), 1, 0.02, False),
    ],
)
def test_a_full_receive_shows_a_backlog_unless_its_one_message_was_waited_for(
    permit: Permit, count: int, seconds: float, shown: bool
) -> None:
    assert permit.shows_backlog(count, seconds) is shown


def test_a_message_is_settled_by_one_only() -> None:
    held = InFlight()
    held.hold(received("a"))
    assert held.start("a")
    assert held.take("a") is not None
    assert held.take("a") is None


def test_what_was_given_back_must_not_be_started() -> None:
    held = InFlight()
    for handle in "abc":
        held.hold(received(handle))
    assert held.start("b")
    given_back = held.take_unstarted(lambda each: True)
    assert [each.handle for each in given_back] == ["a", "c"]
    assert not held.start("a")
    assert held.running == 1


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads("test", most=2)
    yield threads
    threads.close()


def test_threads_run_what_they_are_given_and_survive_its_errors(
    threads: Threads, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []
    threads.submit(lambda: [].pop())
    for number in range(10):
        threads.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    assert threads.wait_until_idle(5)
    assert sorted(done) == list(range(10))
    assert "A job of test failed" in caplog.text


def test_waiting_for_threads_ends_at_its_deadline(threads: Threads) -> None:
    gate = threading.Event()
    threads.submit(lambda: gate.wait(5))  # type: ignore[arg-type, return-value]
    assert not threads.wait_until_idle(0.05)
    gate.set()
    assert threads.wait_until_idle(5)


def test_what_comes_after_threads_were_closed_is_run_by_whoever_brings_it(
    threads: Threads,
) -> None:
    """The acknowledgement of a task that outlived its worker's stop must not be lost."""
    done: list[str] = []
    for _ in range(4):
        threads.submit(lambda: None)
    threads.close()
    threads.submit(lambda: done.append(threading.current_thread().name))
    assert done == [threading.current_thread().name]
    assert threads.wait_until_idle(5)


@contextmanager
def no_thread_to_be_had() -> Iterator[None]:
    """As at the limit of a container: one of so large a stack has nowhere to be."""
    usual = threading.stack_size(1 << 47)
    try:
        yield
    finally:
        threading.stack_size(usual)


def test_what_no_thread_can_be_had_for_is_run_with_what_comes_next(
    threads: Threads, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []
    with no_thread_to_be_had():
        threads.submit(lambda: done.append("first"))
    assert "Thread test-1 could not be started" in caplog.text

    threads.submit(lambda: done.append("second"))

    assert threads.wait_until_idle(10)
    assert done == ["first", "second"]


def test_a_timer_that_could_have_no_thread_runs_with_what_comes_next() -> None:
    timer, done = Timer("test"), threading.Event()
    with no_thread_to_be_had():
        timer.after(0.0, done.set)

    timer.after(0.0, lambda: None)

    assert done.wait(10)
    timer.close()


def test_a_timer_runs_jobs_in_the_order_of_their_time() -> None:
    done: list[str] = []
    timer = Timer("test")
    timer.after(0.1, lambda: done.append("second"))
    timer.after(0.0, lambda: done.append("first"))
    wait_for(lambda: done == ["first", "second"])
    timer.close()


def test_a_timer_that_is_closed_runs_at_once_what_it_was_keeping() -> None:
    done: list[str] = []
    timer = Timer("test")
    timer.after(60, lambda: done.append("kept"))
    timer.close()
    assert done == ["kept"]
    timer.after(60, lambda: done.append("late"))
    assert done == ["kept", "late"]


@pytest.mark.parametrize(
    ("failures", "limit"), [(1, 0.5), (2, 1.0), (5, 8.0), (9, 30.0), (999, 30.0)]
)
def test_a_back_off_doubles_up_to_its_longest_and_half_of_it_is_random(
    failures: int, limit: float
) -> None:
    waits = [back_off(failures, 0.5, 30.0) for _ in range(50)]
    assert limit / 2 <= min(waits) <= max(waits) <= limit
    assert len(set(waits)) > 1
