"""The keeper: what lies in a dead-letter queue is in a row, once, before it is gone from SQS."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from notifications import envelope, keeper, letter_discards, redrive, topology
from notifications.advisory import lock_for_transaction
from notifications.aws import clients
from notifications.aws.clients import client
from notifications.aws.sqs import queue_url
from notifications.local.faults import FaultClient, FaultProxy
from notifications.local.processes import Process
from notifications.local.stack import Stack
from notifications.models import DeadLetter, Dispatch
from tests.integration import ledger
from tests.integration.graves import FIRST_SEEN, a_letter, bury, bury_many, grave, kept, send
from tests.integration.ledger import all_published, record_orders
from tests.integration.letters import letter as an_event
from tests.integration.outages import database_closed_to
from tests.queues import depth
from tests.waiting import wait_for

Start = Callable[..., Process]

pytestmark = pytest.mark.usefixtures("transactional_db", "aws")


@pytest.fixture
def proxy(stack: Stack) -> Iterator[FaultProxy]:
    front = FaultProxy(
        stack.directories, stack.processes, target=stack.environment["AWS_ENDPOINT_URL"]
    )
    front.start()
    yield front
    front.stop()


@pytest.fixture
def faults(proxy: FaultProxy) -> FaultClient:
    return proxy.client


@pytest.fixture
def far(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's own SQS lies behind the fault proxy."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.environment["AWS_ENDPOINT_URL"])
    clients.forget()
    yield
    monkeypatch.undo()
    clients.forget()


def drain() -> int:
    return keeper.drain(using="default")


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def test_a_letter_is_kept_with_what_its_worker_wrote_on_it_and_with_what_was_on_it() -> None:
    event = replace(an_event(), generation=2)
    letter = a_letter(
        envelope.write(event),
        queue="email-bulk",
        attributes={"event_type": text("order.created"), "traceparent": text("00-a")},
    )
    bury(letter)

    assert drain() == 1

    row = DeadLetter.objects.get()
    assert (row.queue, row.message_id, row.generation) == ("email-bulk", "message-1", 2)
    assert bytes(row.body).decode() == letter.body
    assert row.attributes == {"event_type": "order.created", "traceparent": "00-a"}
    assert (row.event_id, row.event_type, row.subject) == (event.id, event.type, event.subject)
    assert (row.reason, row.error_class, row.error, row.fingerprint, row.attempts) == (
        letter.failure.reason,
        "notifications.exceptions.PermanentError",
        "no such mailbox",
        letter.failure.fingerprint,
        9,
    )
    assert (row.state, row.first_seen_at) == ("open", FIRST_SEEN)
    assert row.last_seen_at
    assert depth("email-dlq") == 0


def test_a_letter_that_takes_another_s_name_is_kept_beside_it() -> None:
    bury(a_letter("the first"))
    drain()
    bury(a_letter("a forger's"), a_letter("the first"))

    assert drain() == 2

    assert sorted(kept()) == [b"a forger's", b"the first"]


def test_what_a_worker_gives_up_is_in_a_row_within_seconds(
    environment: Any, worker: Start, relay: Start
) -> None:
    message_id = send("hello", to="test-email-bulk", attributes={"event_type": text("x.y")})
    worker("email")
    relay()
    wait_for(DeadLetter.objects.exists, within=60)
    row = DeadLetter.objects.get()
    assert (row.queue, row.message_id, row.reason) == ("email-bulk", message_id, "not_an_event")
    assert (bytes(row.body), row.attributes) == (b"hello", {"event_type": "x.y"})
    wait_for(lambda: depth("email-dlq") == depth("email-bulk") == 0, within=30)


def test_what_sqs_moved_itself_is_kept_as_received_too_often() -> None:
    queue = topology.current().queue("sms")
    assert queue.redrive
    sqs, url = client("sqs"), queue_url(queue.physical)
    message_id = send('{"half', to=queue.physical, attributes={"event_type": text("order.created")})
    for _ in range(queue.redrive.max_receive_count + 1):
        sqs.receive_message(QueueUrl=url, VisibilityTimeout=0, WaitTimeSeconds=0)
    wait_for(lambda: depth("sms-dlq") == 1)

    drain()

    row = DeadLetter.objects.get()
    assert (row.queue, row.message_id, row.reason) == ("sms", message_id, "max_receives")
    assert bytes(row.body) == b'{"half'
    assert row.attributes == {"event_type": "order.created"}
    assert row.fingerprint
    assert row.first_seen_at
    assert row.first_seen_at <= timezone.now()


def test_what_sns_could_not_deliver_is_kept_as_its_consumers_with_why() -> None:
    """No emulator here delivers to the dead-letter queue of a subscription, so the test does."""
    event = an_event()
    send(envelope.write(event), to="test-analytics-undelivered")

    assert drain() == 0, "it is looked for more seldom than what a worker gave up"
    assert keeper.drain_undelivered(using="default") == 1

    row = DeadLetter.objects.get()
    assert (row.queue, row.reason, row.event_id) == (
        "analytics",
        "sns_could_not_deliver",
        event.id,
    )
    assert depth("analytics-undelivered") == 0
    assert redrive.redrive_one(row, by="ada", reason="its policy is back") == ""
    assert Dispatch.objects.get().destination == topology.current().bulk_queue("analytics").name


def test_a_letter_that_comes_twice_is_one_row_and_what_was_decided_about_it_stands() -> None:
    bury(a_letter())
    drain()
    letter_discards.discard([DeadLetter.objects.get().pk], by="ada", reason="x")
    bury(a_letter(), a_letter(message_id="message-2"))

    drain()

    states = dict(DeadLetter.objects.values_list("message_id", "state"))
    assert states == {"message-1": "discarded", "message-2": "open"}


def test_of_somebody_who_is_forgotten_nothing_comes_back_with_what_sqs_did_not_delete() -> None:
    letter = a_letter('{"to": "ann@example.org"}')
    bury(letter)
    drain()
    DeadLetter.objects.with_any(["ann@example.org"]).wipe(by="forgotten", reason="an address")
    bury(letter)

    assert drain() == 1, "it goes from SQS"

    row = DeadLetter.objects.get()
    assert (bytes(row.body), row.error, row.state) == (b"", "", "discarded")


def test_a_row_that_the_worker_wrote_itself_is_the_same_letter() -> None:
    """Its send seemed to fail and did not."""
    DeadLetter.objects.keep(a_letter(queue="email-bulk"))
    bury(a_letter(queue="email-bulk"))

    drain()

    assert DeadLetter.objects.count() == 1


def test_attributes_that_are_no_text_are_kept_too() -> None:
    raw = b"\xff\x00\xfe"
    theirs = {
        "picture": {"DataType": "Binary.png", "BinaryValue": raw},
        "size": {"DataType": "Number", "StringValue": "12"},
    }
    bury(a_letter(attributes=theirs))
    drain()
    assert DeadLetter.objects.get().attributes == {
        "picture": {"DataType": "Binary.png", "BinaryValue": base64.b64encode(raw).decode()},
        "size": {"DataType": "Number", "StringValue": "12"},
    }


def test_one_that_postgresql_will_not_take_keeps_no_other_waiting() -> None:
    with _refusing("the bad one"):
        bury_many(["one", "the bad one", "two"])
        assert drain() == 2
        assert sorted(kept()) == [b"one", b"two"]
        assert depth("email-dlq") == 1, "it waits in SQS"


def test_while_the_database_is_away_they_wait_in_sqs(
    environment: Any, relay: Start, stack: Stack
) -> None:
    survivor = relay(PGAPPNAME="survivor")
    with database_closed_to("survivor", stack):
        wait_for(lambda: "Keeping dead letters failed" in survivor.log, within=60)
        bury_many(["one", "two"])
        assert visible("email-dlq") == 2
    wait_for(lambda: depth("email-dlq") == 0, within=60)
    assert sorted(kept()) == [b"one", b"two"]
    wait_for(lambda: "Keeping dead letters works again." in survivor.log)


def test_a_queue_that_another_relay_is_at_is_left_to_it() -> None:
    bury_many(["one"])
    other = connections.create_connection("default")
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                [f"notifications/keeper/{grave().physical}"],
            )
        assert drain() == 0
        other.rollback()
    finally:
        other.close()
    assert drain() == 1


def test_a_lock_ends_with_its_transaction() -> None:
    for _ in range(2):
        with transaction.atomic():
            assert lock_for_transaction("notifications/test", using="default")


def test_a_queue_that_is_missing_keeps_no_other_waiting() -> None:
    bury_many(["one"])
    client("sqs").delete_queue(QueueUrl=queue_url(grave("push").physical))
    with pytest.raises(Exception, match=r"push-dlq|NonExistentQueue|does not exist"):
        drain()
    assert kept() == [b"one"]


def test_depth_is_what_lies_in_sqs_and_what_is_open_here() -> None:
    bury_many(["one", "two", "three"])
    drain()
    DeadLetter.objects.filter(body=b"one").update(state="redriven")
    bury_many(["four"])
    bury(a_letter(queue="email-bulk", message_id="bulk"))

    found = {each.consumer: each for each in keeper.depths()}

    assert found["email"] == keeper.Depth("email", in_sqs=2, open=2)
    assert found["email"].total == 4
    assert found["sms"].total == 0


@pytest.mark.trap(27)
def test_relays_share_the_work_and_publish_on_meanwhile(environment: Any, relay: Start) -> None:
    with ledger.registered():
        bodies = [f"body {number}" for number in range(60)]
        bury_many(bodies)
        for _ in range(2):
            relay()
        record_orders(50)

        wait_for(lambda: depth("email-dlq") == 0 and all_published(), within=60)

    assert sorted(kept()) == sorted(body.encode() for body in bodies)


def test_what_sqs_would_not_delete_is_deleted_the_next_time_and_kept_once(
    faults: FaultClient, far: None
) -> None:
    faults.fault("partial", actions=["DeleteMessageBatch"], times=2, code="InternalError")
    bury_many(["one", "two", "three"])

    assert keeper.drain(using="default", hidden_for=1) == 3
    assert depth("email-dlq") == 2
    wait_for(lambda: keeper.drain(using="default", hidden_for=1) == 2)

    assert depth("email-dlq") == 0
    assert sorted(kept()) == [b"one", b"three", b"two"]


@contextmanager
def _refusing(body: str) -> Iterator[None]:
    """While it lasts, PostgreSQL takes no row with this body."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE notifications_deadletter ADD CONSTRAINT no_such_body "
            f"CHECK (body <> convert_to('{body}', 'UTF8'))"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE notifications_deadletter DROP CONSTRAINT no_such_body")


def visible(name: str) -> int:
    answer = client("sqs").get_queue_attributes(
        QueueUrl=queue_url(topology.current().queue(name).physical),
        AttributeNames=["ApproximateNumberOfMessages"],
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])
