"""The topology: what is registered, turned into topics, queues and subscriptions."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from notifications import topology
from notifications.aws.arns import Arns
from notifications.aws.attributes import (
    queue_attributes,
    same,
    subscription_attributes,
    topic_attributes,
)
from notifications.consumers import Consumer, Source
from notifications.events import EventData, EventType
from notifications.topology import Topology, compute

SNAPSHOT = Path(__file__).parent / "snapshots" / "topology.json"
ARNS = Arns("aws", "eu-central-1", "123456789012")


def _type(name: str, topic: str) -> EventType:
    return EventType(name, 1, EventData, "order/1", topic, timedelta(days=1))


EVENTS = (
    _type("order.created", "orders"),
    _type("order.shipped", "orders"),
    _type("payment.completed", "payments"),
)


def _computed(*consumers: Consumer, fifo: tuple[str, ...] = (), prefix: str = "dev") -> Topology:
    return compute(prefix, frozenset(fifo), consumers, EVENTS)


def _consumer(name: str = "email", *wants: str, **fields: object) -> Consumer:
    return Consumer(name, task=f"tests.{name}", wants=frozenset(wants), **fields)


def test_the_topology_of_the_shop_is_the_one_in_the_snapshot() -> None:
    """To accept a change: UPDATE_SNAPSHOTS=1 make test ARGS=tests/unit/test_topology.py"""
    shown = json.dumps(_in_full(topology.current()), indent=2) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(shown)

    assert shown == SNAPSHOT.read_text()


def _in_full(layout: Topology) -> dict[str, object]:
    """The data, and what SNS and SQS are told."""
    return {
        "topics": [
            asdict(topic) | {"attributes": _parsed(topic_attributes(topic, ARNS))}
            for topic in layout.topics
        ],
        "queues": [
            asdict(queue) | {"attributes": _parsed(queue_attributes(queue, ARNS))}
            for queue in layout.queues
        ],
        "subscriptions": [
            asdict(subscription)
            | {"attributes": _parsed(subscription_attributes(subscription, ARNS))}
            for subscription in layout.subscriptions
        ],
    }


def _parsed(attributes: dict[str, str]) -> dict[str, object]:
    return {
        name: json.loads(value) if value.startswith("{") else value
        for name, value in attributes.items()
    }


@pytest.mark.trap(9)
def test_a_consumer_has_a_queue_a_dead_letter_queue_and_where_it_asks_a_bulk_queue() -> None:
    layout = _computed(_consumer("email", bulk=True), _consumer("stock"))

    assert {queue.physical for queue in layout.queues} == {
        *("dev-email", "dev-email-bulk", "dev-email-dlq"),
        *("dev-stock", "dev-stock-dlq"),
    }
    assert layout.bulk_queue("email").name == "email-bulk"
    assert layout.bulk_queue("stock").name == "stock"
    assert layout.dead_letter_queue("email").name == "email-dlq"


def test_a_queue_stands_after_the_dead_letter_queue_that_it_names() -> None:
    names = [queue.name for queue in _computed(_consumer("email", bulk=True)).queues]

    assert names == ["email-dlq", "email-bulk", "email"]


def test_only_the_first_queue_is_subscribed_and_only_to_what_its_consumer_wants() -> None:
    layout = _computed(
        _consumer("email", "order.created", "order.shipped", bulk=True),
        _consumer("ledger", "payment.completed", "order.created"),
        Consumer("analytics", task="tests.analytics", wants=None),
    )

    assert {(s.topic, s.queue): s.event_types for s in layout.subscriptions} == {
        ("dev-orders", "dev-email"): ("order.created", "order.shipped"),
        ("dev-orders", "dev-ledger"): ("order.created",),
        ("dev-payments", "dev-ledger"): ("payment.completed",),
        ("dev-orders", "dev-analytics"): None,
        ("dev-payments", "dev-analytics"): None,
    }
    assert layout.queue("email").senders == ("dev-orders",)
    assert layout.queue("ledger").senders == ("dev-orders", "dev-payments")
    assert layout.queue("email-bulk").senders == ()
    assert layout.queue("email-dlq").senders == ()


def test_a_consumer_that_wants_nothing_has_its_queues_all_the_same() -> None:
    layout = _computed(_consumer("pigeon", bulk=True))

    assert len(layout.queues) == 3
    assert layout.subscriptions == ()


def test_a_consumer_of_other_bodies_has_a_topic_of_its_own_where_no_event_goes() -> None:
    source = Source("word", read=lambda body: None, publishers=("ses.amazonaws.com",))
    layout = _computed(
        Consumer("receipts", task="t", wants=None, source=source),
        Consumer("analytics", task="t", wants=None),
    )

    assert [s for s in layout.subscriptions if "dev-word" in s.topic] == [
        topology.Subscription("dev-word", "dev-receipts", "dev-receipts-undelivered", None)
    ]
    assert layout.queue("receipts").senders == ("dev-word",)
    assert layout.queue("analytics").senders == ("dev-orders", "dev-payments")
    assert "Policy" not in topic_attributes(layout.topic("orders"), ARNS)
    [statement] = json.loads(topic_attributes(layout.topic("word"), ARNS)["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": ["ses.amazonaws.com"]}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ARNS.account}}


def test_a_topic_that_carries_events_carries_nothing_else() -> None:
    source = Source("orders", read=lambda body: None)
    with pytest.raises(ImproperlyConfigured, match=r"'receipts' takes 'orders'"):
        _computed(Consumer("receipts", task="t", wants=None, source=source))


@pytest.mark.S1
@pytest.mark.trap(10)
def test_sqs_moves_a_message_away_only_well_after_the_task_would_have_given_up() -> None:
    layout = _computed(_consumer("email", bulk=True, max_retries=8))

    for name in ("email", "email-bulk"):
        assert layout.queue(name).redrive == topology.Redrive("dev-email-dlq", 28)
    assert layout.queue("email-dlq").redrive is None


@pytest.mark.S1
@pytest.mark.parametrize(
    ("max_seconds", "hidden"), [(1, 30), (15, 30), (20, 40), (30, 60), (3 * 3600, 60)]
)
def test_a_message_is_hidden_for_twice_its_longest_processing_within_bounds(
    max_seconds: int, hidden: int
) -> None:
    layout = _computed(_consumer("email", max_seconds=max_seconds))

    assert {queue.visibility_timeout for queue in layout.queues} == {hidden}


def test_a_fifo_topic_feeds_fifo_queues() -> None:
    layout = _computed(_consumer("ledger", "payment.completed", bulk=True), fifo=("payments",))

    assert layout.topic("payments").physical == "dev-payments.fifo"
    assert layout.queue("ledger").physical == "dev-ledger.fifo"
    assert layout.bulk_queue("ledger").physical == "dev-ledger-bulk.fifo"
    assert layout.dead_letter_queue("ledger").physical == "dev-ledger-dlq.fifo"
    assert layout.queue("ledger").senders == ("dev-payments.fifo",)
    assert queue_attributes(layout.queue("ledger"), ARNS)["FifoQueue"] == "true"


def test_a_queue_that_a_standard_topic_feeds_too_is_a_standard_queue() -> None:
    layout = _computed(Consumer("analytics", task="t", wants=None), fifo=("payments",))

    assert layout.queue("analytics").physical == "dev-analytics"
    assert layout.queue("analytics").senders == ("dev-orders", "dev-payments.fifo")


def test_what_sns_cannot_deliver_has_a_queue_of_the_consumers_of_its_topics_kind() -> None:
    layout = _computed(
        Consumer("analytics", task="t", wants=None),
        _consumer("ledger", "payment.completed"),
        fifo=("payments",),
    )

    assert {(s.topic, s.queue): s.undelivered for s in layout.subscriptions} == {
        ("dev-orders", "dev-analytics"): "dev-analytics-undelivered",
        ("dev-payments.fifo", "dev-analytics"): "dev-analytics-undelivered-in-order.fifo",
        ("dev-payments.fifo", "dev-ledger.fifo"): "dev-ledger-undelivered.fifo",
    }
    assert layout.queue("analytics-undelivered").senders == ("dev-orders",)
    assert layout.queue("analytics-undelivered-in-order").senders == ("dev-payments.fifo",)
    assert {queue.name for queue in layout.queues if queue.role.is_grave} == {
        *("analytics-dlq", "analytics-undelivered", "analytics-undelivered-in-order"),
        *("ledger-dlq", "ledger-undelivered"),
    }


KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"


def test_queues_are_encrypted_by_sqs_and_with_a_key_topics_and_queues_by_that() -> None:
    def told(kms_key: str) -> tuple[dict[str, str], dict[str, str]]:
        layout = compute("dev", frozenset(), (_consumer(),), EVENTS, kms_key=kms_key)
        topic = topic_attributes(layout.topic("orders"), ARNS)
        return topic, queue_attributes(layout.queue("email"), ARNS)

    topic, queue = told("")
    assert topic["KmsMasterKeyId"] == queue["KmsMasterKeyId"] == ""
    assert queue["SqsManagedSseEnabled"] == "true"
    topic, queue = told(KEY)
    assert topic["KmsMasterKeyId"] == queue["KmsMasterKeyId"] == KEY
    assert "SqsManagedSseEnabled" not in queue, (
        "SQS knows by itself that it is the one or the other"
    )


def test_dead_letters_are_kept_for_longest_whatever_the_queues_do() -> None:
    layout = compute(
        "dev",
        frozenset(),
        (_consumer("email", "order.created", bulk=True),),
        EVENTS,
        retention=345600,
    )

    assert {queue.name: queue.retention for queue in layout.queues} == {
        **dict.fromkeys(("email", "email-bulk"), 345600),
        **dict.fromkeys(("email-dlq", "email-undelivered"), topology.RETENTION),
    }


def test_a_fifo_topic_that_no_event_uses_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"FIFO_TOPICS.*paymints.*orders, payments"):
        _computed(fifo=("paymints",))


@pytest.mark.parametrize("prefix", ["", "de v", "ü", "p" * 75])
def test_a_prefix_that_makes_a_name_sqs_refuses_is_named(prefix: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="PREFIX"):
        _computed(_consumer("email"), prefix=prefix)


def test_an_unknown_queue_is_named_beside_those_there_are() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"'emial'; there are: email-dlq, email"):
        _computed(_consumer("email")).queue("emial")


@pytest.mark.parametrize(
    ("wanted", "live", "alike"),
    [
        ("30", "30", True),
        ("30", "31", False),
        ('{"a": ["x"]}', '{"a":["x"]}', True),
        ('{"a": ["x"]}', '{"a":["y"]}', False),
        ('{"maxReceiveCount": "28"}', '{"maxReceiveCount":28}', True),
        ("{}", "", True),
        ("", '{"Statement": []}', False),
    ],
)
def test_attributes_are_compared_by_what_they_mean(wanted: str, live: str, alike: bool) -> None:
    assert same(wanted, live) is alike
