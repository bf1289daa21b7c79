"""Traps of settling messages with Celery on SQS, by their numbers in docs/traps.md."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from notifications.local.faults import FaultClient
from notifications.local.processes import Process
from notifications.models import Handled
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for

Start = Callable[..., Process]


@pytest.mark.trap(4)
def test_a_wait_longer_than_the_visibility_timeout_runs_the_task_once_after_it(
    probes: Probes, threads_worker: Start
) -> None:
    number = probes.send("fail transiently", times=1, seconds=5.0)
    threads_worker(PROBE_VISIBILITY_SECONDS="2")
    wait_for(probes.is_empty)
    first, second = probes.moments()
    assert second - first >= 5
    assert len(probes.runs(number)) == 2


@pytest.mark.trap(6)
def test_a_deletion_that_fails_is_said_and_counted_and_tried_again(
    probes: Probes, far_worker: Start, faults: FaultClient
) -> None:
    faults.fault("error", actions=["DeleteMessageBatch"], times=2)
    number = probes.send("succeed")
    worker = far_worker(PROBE_VISIBILITY_SECONDS="2")
    wait_for(probes.is_empty)
    assert "Could not delete 1 messages of test-probe, trying again" in worker.log
    assert len(probes.runs(number)) == 1

    faults.fault("partial", actions=["DeleteMessageBatch"], times=5)
    probes.send_many(["succeed"] * 20)
    wait_for(probes.is_empty)
    worker.terminate()
    assert worker.wait(within=30) == 0
    assert faults.struck() == {"partial": 5, "error": 2}
    assert "delete_failed 7" in worker.log
    assert len(probes.runs()) == 21


@pytest.mark.trap(11)
def test_a_handle_that_has_expired_ends_neither_worker_nor_consumption(
    probes: Probes, far_worker: Start, faults: FaultClient
) -> None:
    refused = {"be busy": "ChangeMessageVisibilityBatch", "succeed": "DeleteMessageBatch"}
    for script, action in refused.items():
        faults.fault("partial", actions=[action], code="ReceiptHandleIsInvalid", times=1)
        probes.send(script, times=1)
    worker = far_worker()
    wait_for(lambda: faults.struck().get("partial") == len(refused))
    assert probes.are_served()
    assert worker.alive
    assert "Traceback" not in worker.log


@pytest.mark.trap(17)
def test_messages_are_deleted_ten_at_a_time_while_the_next_tasks_run(
    probes: Probes, far_worker: Start, faults: FaultClient
) -> None:
    faults.fault("slow", actions=["DeleteMessageBatch"], seconds=2.0)
    probes.send_many(["succeed"] * 40)
    far_worker()
    wait_for(lambda: len(probes.runs()) == 40)
    assert max(probes.moments()) - min(probes.moments()) < 2, "no task waited for a deletion"
    wait_for(probes.is_empty)
    asked = faults.requests()
    assert asked["DeleteMessageBatch"] <= 20
    assert "DeleteMessage" not in asked


@pytest.mark.trap(10)
@pytest.mark.trap(23)
def test_receives_without_a_failure_and_too_short_a_visibility_of_the_queue_cost_nothing(
    probes: Probes, threads_worker: Start
) -> None:
    """Given back by one worker after the other, a message still has every attempt of its task; and
    what outlasts the visibility timeout that its queue was made with does not run twice."""
    probes.sqs.set_queue_attributes(
        QueueUrl=probes.url("probe"), Attributes={"VisibilityTimeout": "1"}
    )
    given_back = probes.send("fail transiently", times=2)
    for _ in range(4):
        take_and_drop(probes)
    long = probes.send("sleep", seconds=3.0)
    threads_worker()
    wait_for(probes.is_empty)
    assert [line.split()[2] for line in probes.runs(given_back)] == ["0", "1", "2"]
    assert Handled.objects.get().outcome == Handled.Outcome.DONE
    assert len(probes.runs(long)) == 1
    assert not probes.dead_letters()


def take_and_drop(probes: Probes) -> None:
    """Receive the one message and make it visible again at once."""
    url = probes.url("probe")
    [message] = probes.sqs.receive_message(QueueUrl=url)["Messages"]
    probes.sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )
