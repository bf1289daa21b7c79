"""The relay as a process: everything goes out once, whoever is killed, stopped or cut off."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest
from django.core.management import CommandError, call_command

from notifications import envelope, topology
from notifications.aws import clients
from notifications.aws.sqs import queue_url
from notifications.local.faults import FaultClient, FaultProxy
from notifications.local.ports import free_port
from notifications.local.processes import Process
from notifications.local.stack import Stack
from notifications.models import Dispatch, Event
from tests.integration import ledger
from tests.integration.ledger import all_published, arrived, ids, record_orders
from tests.integration.outages import database_closed_to
from tests.queues import take_all
from tests.waiting import wait_for

Start = Callable[..., Process]


@pytest.fixture(autouse=True)
def _ledger(environment: dict[str, str]) -> Iterator[None]:
    with ledger.registered():
        yield


@pytest.fixture
def proxy(stack: Stack) -> Iterator[FaultProxy]:
    """The fault proxy in front of the emulator; who gets its environment goes through it."""
    target = stack.environment["AWS_ENDPOINT_URL"]
    front = FaultProxy(stack.directories, stack.processes, target=target)
    front.start()
    yield front
    if front.process is not None:
        front.process.stop()


@pytest.fixture
def faults(proxy: FaultProxy) -> FaultClient:
    return proxy.client


@pytest.mark.S1
@pytest.mark.trap(25)
def test_a_published_event_is_its_envelope_with_three_attributes(relay: Start) -> None:
    (event,) = record_orders(1)

    call_command("relay", once=True, verbosity=0)

    (message,) = take_all(ledger.NAME)
    event.refresh_from_db()  # jsonb has its own order of keys
    assert message["Body"] == envelope.write(event.envelope()), "and nothing around it"
    assert envelope.read(message["Body"]) == event.envelope()
    attributes = {
        name: value["StringValue"] for name, value in message["MessageAttributes"].items()
    }
    assert attributes == {
        "event_type": "order.created",
        "event_version": "1",
        "traceparent": event.traceparent,
    }
    row = Dispatch.objects.get()
    assert row.message_id
    assert (row.state, row.tries, row.token, row.lease_until) == ("published", 1, None, None)


def test_four_relays_at_once_publish_each_row_once(relay: Start) -> None:
    for _ in range(4):
        relay("--batch", "7")
    events = record_orders(300)

    wait_for(all_published, within=30)

    assert Counter(arrived()) == Counter(ids(events))
    assert set(Dispatch.objects.values_list("tries", flat=True)) == {1}


def test_rows_of_a_killed_relay_are_published_by_another_when_the_lease_has_ended(
    relay: Start, proxy: FaultProxy, faults: FaultClient
) -> None:
    faults.fault("hang", actions=["PublishBatch"])
    events = record_orders(25)
    doomed = relay("--lease", "2", **proxy.environment)
    wait_for(lambda: Dispatch.objects.filter(state="claimed").count() == 25)

    doomed.kill()
    relay()

    wait_for(all_published, within=20)
    assert Counter(arrived()) == Counter(ids(events))
    assert set(Dispatch.objects.values_list("tries", flat=True)) == {2}


def test_a_relay_told_to_stop_finishes_what_is_in_flight_and_gives_back_the_rest(
    relay: Start, proxy: FaultProxy, faults: FaultClient
) -> None:
    events = record_orders(50)
    faults.fault("slow", seconds=1.0, actions=["PublishBatch"])
    stopping = relay("--publishers", "1", "--batch", "50", **proxy.environment)
    wait_for(lambda: faults.requests().get("PublishBatch") == 1)

    os.kill(stopping.pid, signal.SIGTERM)

    assert stopping.wait(within=30) == 0
    assert Dispatch.objects.filter(state="published", tries=1).count() == 10
    assert Dispatch.objects.filter(state="waiting", tries=0, token=None).count() == 40
    assert len(arrived()) == 10
    call_command("relay", once=True, verbosity=0)
    assert len(arrived()) == len(events) - 10


def test_an_entry_that_fails_is_tried_again_alone(
    relay: Start, proxy: FaultProxy, faults: FaultClient
) -> None:
    faults.fault("partial", actions=["PublishBatch"], times=2, code="InternalError")
    events = record_orders(10)
    relay(**proxy.environment)

    wait_for(all_published, within=30)

    assert Counter(arrived()) == Counter(ids(events))
    assert Counter(Dispatch.objects.values_list("tries", flat=True)) == {1: 8, 2: 2}


@pytest.mark.parametrize("kind", ["error", "throttle", "hang_up"])
def test_a_call_that_fails_is_repeated(
    relay: Start, proxy: FaultProxy, faults: FaultClient, kind: str
) -> None:
    faults.fault(kind, actions=["PublishBatch"], times=1)
    events = record_orders(10)
    relay("--publishers", "1", **proxy.environment)

    wait_for(all_published, within=30)

    assert Counter(arrived()) == Counter(ids(events))
    assert set(Dispatch.objects.values_list("tries", flat=True)) == {2}


def test_a_call_whose_answer_was_lost_is_repeated_with_the_same_ids(
    relay: Start, proxy: FaultProxy, faults: FaultClient
) -> None:
    faults.fault("hang_up", when="after", actions=["PublishBatch"], times=1)
    events = record_orders(10)
    relay("--publishers", "1", **proxy.environment)

    wait_for(all_published, within=30)

    assert Counter(arrived()) == Counter(ids(events) * 2)


def test_an_entry_that_sns_refuses_does_not_hold_up_those_it_travelled_with(
    proxy: FaultProxy, faults: FaultClient, relay: Start
) -> None:
    events = record_orders(10)
    bad = events[4]
    faults.fault(
        "error",
        status=400,
        code="InvalidParameter",
        actions=["PublishBatch"],
        containing=str(bad.id),
    )
    relay(**proxy.environment)

    wait_for(lambda: Dispatch.objects.filter(state="published").count() == 9)

    assert set(arrived()) == set(ids(events)) - {str(bad.id)}
    wait_for(lambda: "InvalidParameter" in bad.dispatches.get().last_error)


def test_an_oversized_body_fails_alone_and_says_why() -> None:
    record_orders(3)
    Dispatch.objects.create(
        kind="topic", destination="order-events", subject="order/9", body="x" * 300_000
    )

    with pytest.raises(CommandError, match="1 could not be published: too_large: 300000 bytes"):
        call_command("relay", once=True, verbosity=0)

    assert len(arrived()) == 3
    refused = Dispatch.objects.get(state="waiting")
    assert refused.last_error.startswith("too_large: 300000 bytes")
    assert refused.available_at > refused.created_at


def test_a_place_that_the_topology_does_not_know_is_named() -> None:
    record_orders(1)
    Dispatch.objects.create(kind="queue", destination="pigeons", subject="order/9", body="{}")

    with pytest.raises(CommandError, match="No queue is named 'pigeons'; there are: "):
        call_command("relay", once=True, verbosity=0)

    assert len(arrived()) == 1


def test_a_topic_that_is_not_there_yet_is_waited_for(stack: Stack) -> None:
    events = record_orders(1)
    stack.emulator.reset()

    with pytest.raises(CommandError, match="NotFound"):
        call_command("relay", once=True, verbosity=0)
    call_command("provision", verbosity=0)
    Dispatch.objects.update(available_at=events[0].recorded_at)
    call_command("relay", once=True, verbosity=0)

    assert arrived() == ids(events)


def test_a_queue_that_is_gone_keeps_nothing_else_waiting(relay: Start) -> None:
    sqs = clients.client("sqs")
    sqs.delete_queue(QueueUrl=queue_url(topology.current().queue("email-bulk").physical))
    (event,) = record_orders(1)
    Dispatch.objects.update(kind="queue", destination="email-bulk")
    lost = Dispatch.objects.get()
    others = [Dispatch(kind=lost.kind, destination=lost.destination, event=event)] * 2999
    Dispatch.objects.bulk_create(others)
    relay()
    wait_for(lambda: Dispatch.objects.filter(tries__gt=0).count() > 100, within=30)

    events = record_orders(5, first=2)

    topic = Dispatch.objects.filter(kind="topic")
    wait_for(lambda: not topic.exclude(state="published").exists(), within=15)
    assert Counter(arrived()) == Counter(ids(events))
    assert "does not exist" in Dispatch.objects.get(pk=lost.pk).last_error


def test_a_queue_that_is_declared_no_more_is_said_once_for_all_that_waits_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [Dispatch(kind="queue", destination="pigeons", body="{}") for _ in range(30)]
    Dispatch.objects.bulk_create(rows)

    with pytest.raises(CommandError, match="30 could not be published"):
        call_command("relay", once=True, verbosity=0)

    [said] = [each for each in caplog.messages if "pigeons" in each]
    assert said.startswith(f"Dispatch {rows[0].pk} and 29 more cannot be published: No queue")
    assert set(Dispatch.objects.values_list("state", "tries")) == {("waiting", 1)}


def test_one_database_connection_is_enough_to_publish_each_row_once(relay: Start) -> None:
    relay(DATABASE_POOL_SIZE="1")
    events = record_orders(30)

    wait_for(all_published, within=30)

    assert Counter(arrived()) == Counter(ids(events))
    assert set(Dispatch.objects.values_list("tries", flat=True)) == {1}


def test_a_dispatch_to_one_queue_carries_the_generation_and_the_attributes() -> None:
    (event,) = record_orders(1)
    Dispatch.objects.all().delete()
    Dispatch.objects.postpone(
        event.envelope(generation=3), queue=f"{ledger.NAME}-bulk", until=event.recorded_at
    )
    Dispatch.objects.update(attributes={"job": "resend-1", "nothing": ""})

    call_command("relay", once=True, verbosity=0)

    assert take_all(ledger.NAME) == []
    (message,) = take_all(f"{ledger.NAME}-bulk")
    assert json.loads(message["Body"])["generation"] == 3
    assert message["MessageAttributes"]["event_type"]["StringValue"] == "order.created"
    assert message["MessageAttributes"]["job"]["StringValue"] == "resend-1"
    assert "nothing" not in message["MessageAttributes"]


def test_a_database_that_goes_away_is_waited_for_and_said_once(relay: Start, stack: Stack) -> None:
    bind = f"127.0.0.1:{free_port()}"
    survivor = relay(PGAPPNAME="survivor", PROCESS_BIND=bind)
    events = record_orders(5)
    wait_for(all_published, within=30)

    with database_closed_to("survivor", stack):
        wait_for(lambda: "unreachable" in survivor.log)
        assert httpx.get(f"http://{bind}/healthz").json() == {"alive": True}
        assert not httpx.get(f"http://{bind}/readyz").json()["ready"]
    events += record_orders(5, first=6)

    wait_for(all_published, within=20)
    assert Counter(arrived()) == Counter(ids(events))
    assert survivor.log.count("unreachable") == 1
    assert "The database is back." in survivor.log
    assert survivor.alive


def test_a_relay_that_sns_refuses_is_not_ready_although_sqs_answers(
    relay: Start, proxy: FaultProxy, faults: FaultClient
) -> None:
    def broker() -> str:
        told: str = httpx.get(f"http://{bind}/readyz").json()["broker"]
        return told

    bind = f"127.0.0.1:{free_port()}"
    refused = relay(PROCESS_BIND=bind, **proxy.environment)
    assert broker() == "ok"
    faults.fault("error", actions=["PublishBatch"], status=403, code="AuthorizationError")
    record_orders(5)

    wait_for(lambda: broker() == "away", within=20)
    assert httpx.get(f"http://{bind}/healthz").json() == {"alive": True}

    faults.clear()
    wait_for(lambda: broker() == "ok", within=20)
    assert refused.alive


@pytest.mark.parametrize(
    "option", ["--batch=0", "--lease=x", "--publishers=-1", "--lease=9999999999", "--batch=1e3"]
)
def test_a_wrong_argument_is_one_clear_line(option: str) -> None:
    with pytest.raises(CommandError, match="give a whole number from 1 to"):
        call_command("relay", option)


def test_nothing_due_is_nothing_done() -> None:
    call_command("relay", once=True, verbosity=0)

    assert not Event.objects.exists()
