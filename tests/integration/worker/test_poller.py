"""The poller and the consumption on real queues, in this process: errors that nobody foresaw."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.parsers import ResponseParserError

from notifications import consumers
from notifications.aws.clients import client
from notifications.aws.sqs import queue_url
from notifications.worker import broker
from notifications.worker.broker import Answer
from notifications.worker.consumption import Consumption
from notifications.worker.counts import Counts
from notifications.worker.gate import Gate
from notifications.worker.poller import Poller
from notifications.worker.queues import PolledQueue, polled_queues
from notifications.worker.received import Received
from notifications.worker.slots import MOST, Slots
from tests.integration import ledger
from tests.waiting import wait_for

FLAT = '{"event_type":"order.created","order_id":7,"timestamp":"2026-11-27T06:00:00Z"}'

Poll = Callable[..., Slots]


@pytest.fixture
def poll(transactional_db: None) -> Iterator[Poll]:
    """`poll(take, *queues)`: a poller is at it; its slots, ten."""
    pollers: list[Poller] = []

    def poll(take: Callable[..., None], *queues: Any) -> Slots:
        slots = Slots(10, on_free=lambda: pollers[0].advance())
        gate = Gate(wait_seconds=1, on_missed=lambda: None)
        pollers.append(Poller(slots, gate, take, lambda *_: None, Counts()))
        pollers[0].watch(queues)
        return slots

    yield poll
    for poller in pollers:
        poller.close()
        poller.wait(5)


def send(queue: PolledQueue, body: str = FLAT) -> None:
    client("sqs").send_message(QueueUrl=queue_url(queue.physical), MessageBody=body)


@pytest.mark.usefixtures("aws")
def test_a_queue_is_polled_again_after_an_error_that_nobody_foresaw(
    poll: Poll, caplog: pytest.LogCaptureFixture
) -> None:
    queue = polled_queues("email")[0]
    took: list[int] = []

    def take(queue: PolledQueue, messages: list[dict[str, Any]], *_: Any) -> None:
        took.append(len(messages))
        raise KeyError("a bug of ours")

    poll(take, queue)
    send(queue)
    wait_for(lambda: took == [1])
    send(queue)
    wait_for(lambda: took == [1, 1], within=5)
    assert caplog.text.count("Traceback") == 1, "said once, with its traceback"


@pytest.mark.usefixtures("aws", "transactional_db")
def test_a_queue_whose_poll_does_not_end_is_neglected_and_its_neighbour_is_not() -> None:
    email, sms = polled_queues("email")[0], polled_queues("sms")[0]
    taken, enough = threading.Event(), threading.Event()

    def hang(*_: Any) -> None:
        taken.set()
        enough.wait(30)

    slots = Slots(10, on_free=lambda: poller.advance())
    gate = Gate(wait_seconds=1, on_missed=lambda: None)
    poller = Poller(slots, gate, hang, lambda *_: None, Counts())
    poller.watch((email,))
    poller.watch((sms,))
    send(email)
    assert taken.wait(10)
    wait_for(lambda: poller.neglected()["email"] > 2.5)
    assert poller.neglected()["sms"] < 2.5
    enough.set()
    wait_for(lambda: poller.neglected()["email"] < 1)
    poller.close()
    assert poller.wait(5)


@pytest.mark.usefixtures("aws", "transactional_db")
def test_idle_queues_tie_up_half_of_what_is_left_when_the_window_has_closed() -> None:
    """A window wide open closes long before their long polls end: a fresh message must not wait."""
    slots = Slots(10, on_free=lambda: None)
    while slots.capacity < MOST:
        slots.release("push", slots.reserve("push", 10, 10), finished=True)
    gate = Gate(wait_seconds=3, on_missed=lambda: None)
    poller = Poller(slots, gate, lambda *_: None, lambda *_: None, Counts())
    for consumer in ("push", "webhook"):
        poller.watch(polled_queues(consumer)[:1])
    wait_for(lambda: all(queue["last_poll"] is not None for queue in poller.report()))
    assert slots.used <= 5
    poller.close()
    assert poller.wait(10)


def test_a_receive_that_raises_what_nobody_foresaw_loses_no_slot(poll: Poll) -> None:
    nameless: Any = ["no text, and so no failure of SQS either"]
    slots = poll(lambda *_: None, replace(polled_queues("email")[0], physical=nameless))
    wait_for(lambda: slots.used == 0, within=3)


@pytest.fixture
def fifo_queue(transactional_db: None, settings: Any, empty_aws: None) -> Iterator[PolledQueue]:
    """A FIFO queue with three events of one subject in it."""
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {
        "FIFO_TOPICS": {"order-events", "stock-events"}
    }
    with ledger.registered():
        queue = polled_queues(ledger.NAME)[0]
        for number in range(3):
            client("sqs").send_message(
                QueueUrl=queue_url(queue.physical),
                MessageBody=FLAT,
                MessageGroupId="order/7",
                MessageDeduplicationId=str(number),
            )
        yield queue


def test_of_one_subject_in_a_fifo_queue_a_worker_holds_one_event_at_a_time(
    poll: Poll, fifo_queue: PolledQueue
) -> None:
    held: list[dict[str, Any]] = []

    def finish_one() -> int:
        """The number held when it is finished."""
        wait_for(lambda: held)
        number = len(held)
        message = held.pop()
        received = Received.of(fifo_queue, message)
        assert broker.delete(fifo_queue.physical, [broker.Change(received)]) == [Answer.DONE]
        return number

    poll(lambda queue, messages, *_: held.extend(messages), fifo_queue)
    assert [finish_one() for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize(
    "code", ["MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"]
)
def test_a_message_not_in_flight_any_more_is_not_changed_again(code: str) -> None:
    """The emulator says it in one way only, so SQS's answer is taken from its reference."""
    change = broker.Change(Received.of(None, {"MessageId": "m", "ReceiptHandle": "h"}))  # type: ignore[arg-type]
    answer = {"Failed": [{"Id": "0", "SenderFault": True, "Code": code}]}
    assert broker._answers(answer, [change]) == [Answer.EXPIRED]


@pytest.fixture
def undeliverable() -> Iterator[tuple[Consumption, list[str]]]:
    """A consumption whose first delivery raises, and what it delivered after that."""
    delivered: list[str] = []
    raised: list[int] = []

    def deliver(messages: list[Received]) -> None:
        if not raised:
            raised.append(len(messages))
            raise RuntimeError("the event loop is gone")
        delivered.extend(received.body for received in messages)

    consumption = Consumption(deliver, wait_seconds=1, receives=1)
    yield consumption, delivered
    consumption.close(patient=True)


@pytest.mark.django_db
@pytest.mark.usefixtures("aws")
def test_messages_that_an_error_kept_from_their_tasks_come_again_soon(
    undeliverable: tuple[Consumption, list[str]],
) -> None:
    consumption, delivered = undeliverable
    queue = polled_queues("email")[0]
    assert queue.visibility_timeout > 20, "it comes sooner than by its visibility"
    send(queue)
    consumption.watch(consumers.get("email").name)
    wait_for(lambda: delivered == [FLAT], within=12)


@pytest.mark.django_db
def test_a_message_that_cannot_even_be_held_costs_no_other_one(
    undeliverable: tuple[Consumption, list[str]],
) -> None:
    consumption, _ = undeliverable
    queue = polled_queues("email")[0]
    slots = consumption._slots
    before = slots.used
    slots.reserve(queue.consumer, 1, 1)
    consumption.take(queue, [{"Body": "neither id nor handle"}])
    assert slots.used == before


def test_an_answer_that_cannot_be_parsed_is_a_failure_of_sqs() -> None:
    assert issubclass(ResponseParserError, broker.FAILURES)
