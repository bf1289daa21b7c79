"""`manage.py provision`: what is missing is made, what drifted is mended, nothing is deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from notifications import consumers, topology
from notifications.aws import forget
from notifications.aws.arns import arns
from notifications.aws.clients import client
from notifications.aws.provision import Plan, plan, provision
from notifications.aws.sqs import queue_url
from notifications.consumers import Consumer
from notifications.local.directories import Directories
from notifications.local.emulator import emulator_environment
from notifications.local.faults import FaultProxy
from notifications.local.ministack import Ministack
from notifications.local.stack import Stack
from tests.queues import depth, take_all

pytestmark = pytest.mark.django_db

TOPIC = "test-order-events"


@pytest.fixture(autouse=True)
def _consumers(empty_aws: None) -> Iterator[None]:
    """One that wants shipments only, one that wants everything."""
    consumers.register(
        Consumer("parcels", task="t.parcels", wants=frozenset({"order.shipped"}), bulk=True)
    )
    consumers.register(Consumer("ledger", task="t.ledger", wants=None))
    yield
    consumers.unregister("parcels")
    consumers.unregister("ledger")


def _provision() -> Plan:
    return provision(topology.current())


def _drift() -> dict[str, list[str]]:
    """What is not as declared: resource → its attributes ("" alone: it is missing)."""
    return {
        step.name: [change.attribute for change in step.changes] or [""]
        for step in plan(topology.current()).drift
    }


def _command(*options: str) -> str:
    out = StringIO()
    call_command("provision", *options, stdout=out, no_color=True)
    return out.getvalue()


def _attributes(name: str) -> dict[str, str]:
    url = queue_url(topology.current().queue(name).physical)
    attributes: dict[str, str] = client("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=["All"]
    )["Attributes"]
    return attributes


def _subscription(queue: str) -> dict[str, str]:
    sns = client("sns")
    for found in sns.list_subscriptions_by_topic(TopicArn=arns().topic(TOPIC))["Subscriptions"]:
        if found["Endpoint"].endswith(f":{queue}"):
            attributes: dict[str, str] = sns.get_subscription_attributes(
                SubscriptionArn=found["SubscriptionArn"]
            )["Attributes"]
            return attributes
    raise AssertionError(f"{queue} is not subscribed")


def _publish(event_type: str) -> None:
    client("sns").publish(
        TopicArn=arns().topic(TOPIC),
        Message="{}",
        MessageAttributes={"event_type": {"DataType": "String", "StringValue": event_type}},
    )


@pytest.mark.S4
def test_what_is_missing_is_created() -> None:
    assert "test-parcels" in _drift()

    _provision()

    assert _drift() == {}
    parcels = _attributes("parcels")
    assert parcels["VisibilityTimeout"] == "60"
    assert parcels["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    assert parcels["ReceiveMessageWaitTimeSeconds"] == "20"
    assert json.loads(parcels["RedrivePolicy"]) == {
        "deadLetterTargetArn": arns().queue("test-parcels-dlq"),
        "maxReceiveCount": "28",
    }
    subscription = _subscription("test-parcels")
    assert subscription["RawMessageDelivery"] == "true"
    assert json.loads(subscription["FilterPolicy"]) == {"event_type": ["order.shipped"]}


def test_a_second_run_keeps_everything() -> None:
    _provision()

    again = _provision()

    assert again.drift == ()
    assert {step.action for step in again.steps} == {"keep"}


def test_two_runs_at_once_do_no_harm() -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: _provision(), range(2)))

    assert _drift() == {}
    _publish("order.shipped")
    assert len(take_all("parcels")) == 1


@pytest.mark.S1
def test_a_queue_sees_only_the_events_that_its_consumer_wants() -> None:
    _provision()

    _publish("order.created")
    _publish("order.shipped")

    assert len(take_all("parcels")) == 1
    assert len(take_all("ledger")) == 2
    assert take_all("parcels-bulk") == []


@pytest.mark.trap(23)
def test_drift_is_reported_and_mended() -> None:
    _provision()
    sqs, sns, url = client("sqs"), client("sns"), queue_url("test-parcels")
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"VisibilityTimeout": "31", "Policy": "", "RedrivePolicy": ""}
    )
    for name, value in (("RawMessageDelivery", "false"), ("FilterPolicy", "{}")):
        sns.set_subscription_attributes(
            SubscriptionArn=_subscription("test-parcels")["SubscriptionArn"],
            AttributeName=name,
            AttributeValue=value,
        )
    before = _drift()
    assert {name: set(changes) for name, changes in before.items()} == {
        "test-parcels": {"VisibilityTimeout", "Policy", "RedrivePolicy"},
        f"{TOPIC} → test-parcels": {"RawMessageDelivery", "FilterPolicy"},
    }

    shown = _command()

    assert "VisibilityTimeout: 31 → 60" in shown
    assert _drift() == {}
    _publish("order.created")
    assert take_all("parcels") == []


def test_drift_of_what_protects_messages_is_named_and_mended() -> None:
    """Encryption, and where SNS puts what it cannot deliver."""
    _provision()
    client("sqs").set_queue_attributes(
        QueueUrl=queue_url("test-parcels"), Attributes={"SqsManagedSseEnabled": "false"}
    )
    client("sns").set_subscription_attributes(
        SubscriptionArn=_subscription("test-parcels")["SubscriptionArn"],
        AttributeName="RedrivePolicy",
        AttributeValue="{}",
    )
    client("sns").set_topic_attributes(
        TopicArn=arns().topic(TOPIC), AttributeName="KmsMasterKeyId", AttributeValue="alias/theirs"
    )
    out = StringIO()

    with pytest.raises(SystemExit):
        call_command("provision", "--check", stdout=out, no_color=True)

    assert "SqsManagedSseEnabled: false → true" in out.getvalue()
    assert "KmsMasterKeyId: alias/theirs → none" in out.getvalue()
    assert "RedrivePolicy: {} → " in out.getvalue()
    _provision()
    assert _drift() == {}


def test_what_somebody_changed_by_hand_and_we_never_set_is_drift_too() -> None:
    """Any of it would lose or hold back events without a word, or let a stranger send."""
    _provision()
    policy = json.loads(_attributes("parcels")["Policy"])
    policy["Statement"].append(
        {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    )
    client("sqs").set_queue_attributes(
        QueueUrl=queue_url("test-parcels"),
        Attributes={
            "DelaySeconds": "900",
            "MaximumMessageSize": "1024",
            "Policy": json.dumps(policy),
        },
    )
    client("sqs").set_queue_attributes(
        QueueUrl=queue_url("test-parcels-dlq"),
        Attributes={"RedriveAllowPolicy": '{"redrivePermission": "denyAll"}'},
    )
    client("sns").set_subscription_attributes(
        SubscriptionArn=_subscription("test-parcels")["SubscriptionArn"],
        AttributeName="FilterPolicyScope",
        AttributeValue="MessageBody",
    )

    drift = _drift()

    assert {name: set(changes) for name, changes in drift.items()} == {
        "test-parcels": {"DelaySeconds", "MaximumMessageSize", "Policy"},
        "test-parcels-dlq": {"RedriveAllowPolicy"},
        f"{TOPIC} → test-parcels": {"FilterPolicyScope"},
    }
    _provision()
    assert _drift() == {}


def test_strangers_are_named_and_left_alone() -> None:
    """Another team's queue may be meant; a check that is strict fails all the same."""
    _provision()
    sns, topic = client("sns"), arns().topic(TOPIC)
    theirs = "arn:aws:sqs:us-east-1:999999999999:test-parcels"  # by its name, it could be ours
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=theirs)
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="mallory@evil.example")
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": who}, "Action": action, "Resource": topic}
        for who, action in (
            ("arn:aws:iam::999999999999:root", ["SNS:Publish"]),
            ("arn:aws:iam::888888888888:root", "SNS:Subscribe"),
            (f"arn:aws:iam::{arns().account}:root", "SNS:*"),
        )
    ]
    sns.set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )

    said = _command("--check")

    assert [line.split()[1:5] for line in said.splitlines() if "stranger" in line] == [
        ["subscriber", TOPIC, "→", "sqs"],
        ["subscriber", TOPIC, "→", "email"],
        ["publisher", "arn:aws:iam::999999999999:root", "→", TOPIC],
    ]
    assert theirs in said
    assert "mallory" not in said
    with pytest.raises(SystemExit):
        _command("--check", "--strict")


def test_another_key_is_drift_and_is_taken_up(settings: Any) -> None:
    _provision()
    key = "arn:aws:kms:us-east-1:000000000000:key/1"
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"KMS_KEY": key, "QUEUE_RETENTION_DAYS": 4}
    drift = _drift()
    assert drift["test-parcels"] == ["MessageRetentionPeriod", "KmsMasterKeyId"]
    assert drift["test-parcels-dlq"] == drift[TOPIC] == ["KmsMasterKeyId"]

    _provision()

    assert _drift() == {}
    assert _attributes("parcels")["KmsMasterKeyId"] == key


def test_a_fifo_topic_that_makes_its_own_deduplication_ids_is_mended(settings: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"FIFO_TOPICS": {"order-events"}}
    topic = client("sns").create_topic(
        Name=f"{TOPIC}.fifo",
        Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"},
    )["TopicArn"]

    _provision()

    live = client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    assert live["ContentBasedDeduplication"] == "false"
    assert not _drift()


def test_who_may_publish_receipts_is_mended() -> None:
    topic = client("sns").create_topic(Name="test-receipts")["TopicArn"]  # with SNS's own policy

    _provision()

    live = client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    [statement] = json.loads(live["Policy"])["Statement"]
    assert "ses.amazonaws.com" in statement["Principal"]["Service"]
    assert not _drift()


def test_a_filter_that_should_not_be_there_is_taken_away() -> None:
    _provision()
    client("sns").set_subscription_attributes(
        SubscriptionArn=_subscription("test-ledger")["SubscriptionArn"],
        AttributeName="FilterPolicy",
        AttributeValue='{"event_type": ["order.created"]}',
    )

    _provision()

    _publish("order.shipped")
    assert len(take_all("ledger")) == 1


def test_a_dry_run_prints_the_plan_and_changes_nothing() -> None:
    shown = _command("--dry-run")

    assert "create  queue        test-parcels-dlq" in shown
    assert "nothing was done" in shown
    assert client("sqs").list_queues().get("QueueUrls", []) == []
    assert client("sns").list_topics()["Topics"] == []


def test_the_check_exits_with_1_while_there_is_drift() -> None:
    with pytest.raises(SystemExit) as exit_:
        _command("--check")
    assert exit_.value.code == 1

    _provision()

    assert "as declared" in _command("--check")


def test_the_check_names_each_kind_of_drift(settings: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"FIFO_TOPICS": {"stock-events"}}
    _provision()
    sqs, sns = client("sqs"), client("sns")
    day = {"MessageRetentionPeriod": "86400"}
    elsewhere = json.dumps(
        {"deadLetterTargetArn": arns().queue("test-ledger-dlq"), "maxReceiveCount": "3"}
    )
    for queue, attributes in (
        ("test-parcels-dlq", day),
        ("test-parcels", {"RedrivePolicy": elsewhere, "Policy": ""}),
        ("test-parcels-bulk", {"ReceiveMessageWaitTimeSeconds": "0"}),
    ):
        sqs.set_queue_attributes(QueueUrl=queue_url(queue), Attributes=attributes)
    sqs.delete_queue(QueueUrl=queue_url("test-ledger-dlq"))
    sns.set_topic_attributes(
        TopicArn=arns().topic("test-stock-events.fifo"),
        AttributeName="ContentBasedDeduplication",
        AttributeValue="true",
    )
    gone, kept = (
        found["SubscriptionArn"]
        for queue in ("test-ledger", "test-parcels")
        for found in sns.list_subscriptions_by_topic(TopicArn=arns().topic(TOPIC))["Subscriptions"]
        if found["Endpoint"].endswith(f":{queue}")
    )
    sns.unsubscribe(SubscriptionArn=gone)
    sns.set_subscription_attributes(
        SubscriptionArn=kept,
        AttributeName="FilterPolicy",
        AttributeValue='{"event_type": ["order.shipped", "order.created"]}',
    )
    forget()

    out = StringIO()
    with pytest.raises(SystemExit) as exit_:
        call_command("provision", "--check", stdout=out, no_color=True)

    assert exit_.value.code == 1
    said = [line.strip() for line in out.getvalue().splitlines() if "keep" not in line]
    drift = dict(pairwise(said))
    assert drift["change  queue        test-parcels-dlq"] == (
        "MessageRetentionPeriod: 86400 → 1209600"
    )
    assert drift["change  queue        test-parcels-bulk"] == (
        "ReceiveMessageWaitTimeSeconds: 0 → 20"
    )
    assert drift["change  topic        test-stock-events.fifo"] == (
        "ContentBasedDeduplication: true → false"
    )
    assert "create  queue        test-ledger-dlq" in said
    assert f"create  subscription {TOPIC} → test-ledger" in said
    filtered = drift[f"change  subscription {TOPIC} → test-parcels"]
    assert filtered.startswith("FilterPolicy: ")
    assert filtered.endswith(' → {"event_type": ["order.shipped"]}')
    of_parcels = said[said.index("change  queue        test-parcels") + 1 :][:2]
    assert of_parcels[0].startswith("RedrivePolicy: ")
    assert "test-ledger-dlq" in of_parcels[0]
    assert of_parcels[1].startswith("Policy: none → ")


def test_the_plan_is_there_as_json() -> None:
    shown = json.loads(_command("--json", "--dry-run"))

    assert (shown["prefix"], shown["applied"], shown["drift"]) == ("test", False, True)
    assert {"action": "create", "kind": "queue", "name": "test-ledger", "changes": []} in shown[
        "steps"
    ]


@pytest.mark.S1
def test_a_queue_that_holds_messages_survives_its_consumer() -> None:
    _provision()
    _publish("order.shipped")
    consumers.unregister("parcels")

    done = _provision()

    assert {(orphan.name, orphan.messages) for orphan in done.orphans} == {
        ("test-parcels", 1),
        ("test-parcels-bulk", 0),
        ("test-parcels-dlq", 0),
        ("test-parcels-undelivered", 0),
        (f"{TOPIC} → test-parcels", None),
    }
    assert "test-parcels (no longer declared, holds 1 messages; left alone)" in _command()
    consumers.register(Consumer("parcels", task="t.parcels", wants=None, bulk=True))
    assert depth("parcels") == 1


def test_queues_of_an_environment_with_a_longer_prefix_are_not_ours() -> None:
    client("sqs").create_queue(QueueName="test-eu-email")
    client("sqs").create_queue(
        QueueName="test-eu-sms", tags={"notifications:environment": "test-eu"}
    )
    _provision()

    assert plan(topology.current()).orphans == ()


def test_an_endpoint_that_does_not_answer_is_one_line_with_the_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    forget()
    try:
        with pytest.raises(CommandError, match="Check the network and AWS_ENDPOINT_URL"):
            _command()
    finally:
        forget()


class StrictMinistack(Ministack):
    """Enforces queue policies, as AWS does."""

    def program_environment(self) -> dict[str, str]:
        root = emulator_environment(self.port)  # its own user, by the keys that we use
        return {**super().program_environment(), **root, "AUTH": "true"}


@pytest.fixture
def strict_aws(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StrictMinistack]:
    directories = Directories.of(tmp_path, stack.directories.shared)
    emulator = StrictMinistack(directories, stack.processes, durable=False)
    emulator.start()
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    forget()
    yield emulator
    forget()
    emulator.stop()


@pytest.mark.S1
def test_the_queue_policy_lets_exactly_its_topic_send(strict_aws: StrictMinistack) -> None:
    _provision()
    sns, sqs = client("sns"), client("sqs")
    stranger = sns.create_topic(Name="stranger")["TopicArn"]
    sns.subscribe(TopicArn=stranger, Protocol="sqs", Endpoint=arns().queue("test-ledger"))

    sns.publish(TopicArn=stranger, Message="{}")
    assert take_all("ledger") == []
    _publish("order.shipped")
    assert len(take_all("ledger")) == 1

    sqs.set_queue_attributes(QueueUrl=queue_url("test-ledger"), Attributes={"Policy": ""})
    _publish("order.shipped")
    assert take_all("ledger") == []
    _provision()
    _publish("order.shipped")
    assert len(take_all("ledger")) == 1


def test_only_first_queues_have_a_policy() -> None:
    _provision()

    assert "Policy" in _attributes("parcels")
    for name in ("parcels-dlq", "parcels-bulk"):
        assert "Policy" not in _attributes(name)


@pytest.mark.parametrize("action", ["ListQueueTags", "GetQueueAttributes"])
@pytest.mark.parametrize("code", ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"])
def test_a_queue_that_was_deleted_a_moment_ago_and_is_listed_still_stops_nothing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, action: str, code: str
) -> None:
    """SQS lists it for up to a minute. Another environment's may begin with our prefix, too."""
    _provision()
    consumers.unregister("parcels")
    target = stack.environment["AWS_ENDPOINT_URL"]
    proxy = FaultProxy(stack.directories, stack.processes, target=target)
    proxy.start()
    for name, value in proxy.environment.items():
        monkeypatch.setenv(name, value)
    forget()
    try:
        proxy.client.fault(
            "error", actions=[action], containing="test-parcels-bulk", status=400, code=code
        )
        orphans = {orphan.name for orphan in plan(topology.current()).orphans}
    finally:
        monkeypatch.undo()
        forget()
        proxy.stop()
    assert "test-parcels" in orphans
    assert "test-parcels-bulk" not in orphans
