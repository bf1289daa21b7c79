"""A worker on FIFO queues: what is tried again holds back its subject, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from notifications import envelope
from notifications.aws.provision import provision
from notifications.conf import conf
from notifications.envelope import Envelope
from notifications.local.processes import Process
from notifications.models import Dispatch, Event
from notifications.topology import compute
from tests.integration.worker.conftest import Probes
from tests.waiting import wait_for
from tests.worker_app.queues import CONSUMERS, EVENT_TYPES

pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = "probe.fifo"
Send = Callable[..., int]


@pytest.fixture
def send(probes: Probes, environment: dict[str, str]) -> Send:
    """`send("order/1", "succeed")`: one event of that subject on the FIFO queue; its number."""
    environment["NOTIFICATIONS_FIFO_TOPICS"] = "probe-events"
    provision(compute(conf().prefix, frozenset({"probe-events"}), CONSUMERS, EVENT_TYPES))

    def send_in_group(subject: str, script: str, **data: Any) -> int:
        [number] = probes.send_many([script], queue="probe-bulk", **data)
        event = Event.objects.get(data__number=number)
        text = envelope.write(in_subject(event, subject))
        probes.send_text(
            text, queue=QUEUE, MessageGroupId=subject, MessageDeduplicationId=str(event.id)
        )
        return number

    return send_in_group


def in_subject(event: Event, subject: str) -> Envelope:
    Event.objects.filter(pk=event.pk).update(subject=subject)
    event.subject = subject
    return event.envelope()


def run_in_order(probes: Probes, *numbers: int) -> list[int]:
    """The numbers of the events, of these, in the order in which their runs began."""
    began = (int(line.split()[1]) for line in probes.runs())
    return [number for number in began if number in numbers]


@pytest.mark.S1
def test_what_is_tried_again_or_waits_holds_back_its_subject_alone_and_a_dead_letter_nobody(
    send: Send, probes: Probes, threads_worker: Callable[..., Process]
) -> None:
    first = send("order/1", "fail transiently", times=2)
    second, third = send("order/1", "succeed"), send("order/1", "succeed")
    other = send("order/2", "succeed")
    bad, successor = send("order/3", "fail for good"), send("order/3", "succeed")
    long, behind = send("order/4", "wait long"), send("order/4", "succeed")

    threads_worker(concurrency=8)

    wait_for(lambda: probes.runs(third), within=60, what="the last of the subject to be run")
    assert run_in_order(probes, first, second, third) == [first, first, first, second, third]
    everything = run_in_order(probes, first, second, other)
    assert everything.index(other) < everything.index(second)

    wait_for(lambda: probes.runs(successor), within=60, what="the successor to be run")
    assert run_in_order(probes, bad, successor) == [bad, successor]
    [letter] = probes.sqs.receive_message(
        QueueUrl=probes.url("probe-dlq.fifo"),
        MessageAttributeNames=["All"],
        MessageSystemAttributeNames=["All"],
    )["Messages"]
    assert letter["Attributes"]["MessageGroupId"] == "order/3"
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "probe_permanent"

    assert probes.runs(long)
    others = [send(f"order/{number}", "succeed") for number in (5, 6, 7)]
    for number in others:
        wait_for(lambda: probes.runs(number), within=30, what="other subjects to be run")  # noqa: B023
    wait_for(lambda: sum(probes.counts(QUEUE)) == 2, within=30, what="the others to be deleted")
    assert not probes.runs(behind)
    assert not Dispatch.objects.exists(), "behind its successors it would come too late"
