"""When a message is hidden anew, given back or let go: the decisions alone."""

from __future__ import annotations

import pytest

from notifications.worker.heartbeat import LONGEST_HIDDEN, is_due, is_overdue, is_stale, seconds
from notifications.worker.inflight import InFlight
from notifications.worker.queues import PolledQueue
from notifications.worker.received import Received

QUEUE = PolledQueue(
    "probe", "test-probe", "probe", "probe.run", "test-probe-dlq", 60, max_seconds=600
)


def received(handle: str = "h", **fields: float) -> Received:
    """Held since second 0."""
    message = Received.of(QUEUE, {"MessageId": "m", "ReceiptHandle": handle})
    message.held_since = message.hidden_since = 0.0
    for name, value in fields.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(("now", "due"), [(29.9, False), (30.0, True), (40.0, True)])
def test_a_message_is_hidden_anew_at_half_of_its_visibility(now: float, due: bool) -> None:
    assert is_due(received(started_at=1.0), now) is due
    assert is_due(received(), now) is due


def test_what_only_waits_is_hidden_anew_once_and_then_stale() -> None:
    waiting = received(hidden_since=30.0, extensions=1)
    assert not is_due(waiting, 60.0)
    assert not is_stale(waiting, 59.9)
    assert is_stale(waiting, 60.0)
    assert not is_stale(received(), 60.0), "not before it has been hidden anew"


def test_what_runs_is_hidden_anew_until_its_consumer_s_maximum() -> None:
    running = received(started_at=100.0, hidden_since=660.0, extensions=20)
    assert is_due(running, 690.0)
    assert not is_overdue(running, 699.9)
    assert is_overdue(running, 700.0)
    running.overdue = True
    assert not is_due(running, 700.0)


def test_a_message_that_waits_is_never_overdue() -> None:
    assert not is_overdue(received(), 10_000.0)


def test_nothing_is_hidden_for_longer_than_sqs_allows() -> None:
    """12 hours from the receive: SQS would answer that the handle is of no use."""
    day_long = received(started_at=0.0, hidden_since=LONGEST_HIDDEN - 50)
    assert seconds(day_long, LONGEST_HIDDEN - 20) == 20
    assert is_due(day_long, LONGEST_HIDDEN - 20)
    assert not is_due(day_long, LONGEST_HIDDEN)
    assert LONGEST_HIDDEN + QUEUE.visibility_timeout <= 12 * 3600


def test_a_message_is_extended_by_one_call_at_a_time_and_never_after_it_is_settled() -> None:
    held = InFlight()
    for handle in "ab":
        held.hold(received(handle))
    held.take("a")
    assert [each.handle for each in held.mark_extending(lambda each: True)] == ["b"]
    assert held.mark_extending(lambda each: True) == []


def test_a_message_lost_to_another_worker_before_its_task_began_does_not_begin() -> None:
    held = InFlight()
    waiting, running = received("waiting"), received("running")
    held.hold(waiting)
    held.hold(running)
    held.start("running")
    assert held.mark_lost(waiting)
    assert held.mark_lost(running)
    assert not held.start("waiting")
    assert held.take("running") is running, "its task ends, and says what becomes of it"
    assert not held.mark_lost(running), "settled here meanwhile"


def test_a_restart_waits_for_tasks_that_have_not_hung() -> None:
    held = InFlight()
    for handle in ("hung", "healthy", "waiting"):
        held.hold(received(handle))
    held.start("hung", in_thread=True)
    held.start("healthy", in_thread=True)
    assert [each.handle for each in held.mark_overdue(lambda each: each.handle == "hung")] == [
        "hung"
    ]
    assert held.mark_overdue(lambda each: each.handle == "hung") == [], "told once"
    assert held.wait_for_others(0.01) == 1
    held.take("healthy")
    assert held.wait_for_others(0.01) == 0
    assert held.running == 1
