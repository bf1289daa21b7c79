"""The CloudFormation template: deployed, it is what `provision` makes, and what stands beside.

The emulator makes every resource of it, and sees conditions, mappings and references as AWS
does. It keeps nothing of a topic but its name and its policy, whatever the template says of
encryption and of FIFO: those differences are named here. It enforces no role. It refuses alarms by
metric math, which are left out of what it is given, and judged by cfn-lint alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import WaiterError

from notifications import alarms, topology
from notifications.aws import cloudformation, forget
from notifications.aws.arns import arns
from notifications.aws.clients import client
from notifications.aws.provision import plan, provision
from notifications.local.directories import Directories
from notifications.local.ministack import SERVICES, Ministack
from notifications.local.stack import Stack

pytestmark = pytest.mark.usefixtures("emulator")

KEY = "arn:aws:kms:us-east-1:000000000000:key/1"
DAY = 24 * 3600
CHANGING = ("CreatedTimestamp", "LastModifiedTimestamp")


class WholeMinistack(Ministack):
    """With what a template of this size is taken from, and a key made by."""

    def program_environment(self) -> dict[str, str]:
        return {**super().program_environment(), "SERVICES": f"{SERVICES},s3,kms"}


@pytest.fixture(scope="module")
def whole(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeMinistack]:
    home = tmp_path_factory.mktemp("aws")
    running = WholeMinistack(
        Directories.of(home, stack.directories.shared), stack.processes, durable=False
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture
def emulator(whole: WholeMinistack, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in whole.environment.items():
        monkeypatch.setenv(name, value)
    whole.reset()
    forget()
    yield
    forget()


@pytest.fixture
def deploy(whole: WholeMinistack) -> Callable[..., None]:
    """Of the template as the settings have it now, without what the emulator refuses. It is too
    large for any way but S3."""

    def deploy(**parameters: str) -> None:
        import boto3

        s3 = boto3.client("s3", "us-east-1", config=Config(s3={"addressing_style": "path"}))
        s3.create_bucket(Bucket="templates")
        template = cloudformation.template()
        for name in _by_metric_math():
            del template["Resources"][name]
        s3.put_object(Bucket="templates", Key="t", Body=json.dumps(template).encode())
        made = client("cloudformation")
        made.create_stack(
            StackName="notifications",
            TemplateURL=f"{whole.environment['AWS_ENDPOINT_URL']}/templates/t",
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in {"Prefix": "test", **parameters}.items()
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        made.get_waiter("stack_create_complete").wait(
            StackName="notifications", WaiterConfig={"Delay": 0.2, "MaxAttempts": 150}
        )

    return deploy


def _by_metric_math() -> dict[str, Any]:
    made = cloudformation.template()["Resources"]
    return {name: each for name, each in made.items() if "Metrics" in each["Properties"]}


def _drift() -> dict[str, list[str]]:
    found = plan(topology.current())
    assert not found.orphans
    return {step.name: [each.attribute for each in step.changes] for step in found.drift}


def _live(prefix: str) -> dict[str, Any]:
    """Everything of that prefix, as SNS and SQS tell it, without the prefix."""
    sqs, sns = client("sqs"), client("sns")
    queues = {}
    for url in sqs.list_queues(QueueNamePrefix=f"{prefix}-", MaxResults=1000)["QueueUrls"]:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        tags = sqs.list_queue_tags(QueueUrl=url)["Tags"]
        kept = {name: text for name, text in attributes.items() if name not in CHANGING}
        kept["tags"] = {name: text for name, text in tags.items() if not name.startswith("aws:")}
        queues[url.rsplit("/", 1)[-1]] = kept
    topics = [each["TopicArn"] for each in sns.list_topics()["Topics"]]
    subscriptions = {}
    for arn in (arn for arn in topics if f":{prefix}-" in arn):
        for each in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
            attributes = sns.get_subscription_attributes(SubscriptionArn=each["SubscriptionArn"])
            subscriptions[f"{arn} {each['Endpoint']}"] = {
                name: attributes["Attributes"].get(name) or "{}"
                for name in ("RawMessageDelivery", "FilterPolicy", "RedrivePolicy")
            }
    text = json.dumps({"queues": queues, "topics": topics, "subscriptions": subscriptions})
    whole = json.loads(text.replace(f"{prefix}-", "").replace(f'"{prefix}"', '"it"'))
    return _parsed(whole)


def _parsed(value: Any) -> Any:
    """Documents as such: their spelling is nobody's business."""
    if isinstance(value, dict):
        return {name: _parsed(each) for name, each in value.items() if value}
    if isinstance(value, str) and value.startswith("{"):
        document = json.loads(value)
        if "maxReceiveCount" in document:
            document["maxReceiveCount"] = str(document["maxReceiveCount"])
        return document
    return value


@pytest.mark.S2
def test_the_template_and_provision_make_the_same(
    deploy: Callable[..., None], settings: Any
) -> None:
    deploy()
    assert _drift() == {}
    deployed = _live("test")
    client("cloudformation").delete_stack(StackName="notifications")  # its queues stay
    assert len(deployed["queues"]) == len(topology.current().queues)

    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"PREFIX": "other"}
    provision(topology.current())
    provisioned = _live("other")

    assert provisioned["queues"] == deployed["queues"]
    assert provisioned["subscriptions"] == deployed["subscriptions"]


def test_with_a_key_and_a_shorter_retention_too(deploy: Callable[..., None], settings: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"KMS_KEY": KEY, "QUEUE_RETENTION_DAYS": 4}
    deploy(KmsKey=KEY, RetentionDays="4")

    topics = {topic.physical for topic in topology.current().topics}
    assert _drift() == {name: ["KmsMasterKeyId"] for name in topics}, (
        "what the emulator does not keep"
    )
    made = cloudformation.template()["Resources"]
    assert all(
        "KmsMasterKeyId" in each["Properties"]
        for each in made.values()
        if each["Type"] == "AWS::SNS::Topic"
    )


def test_with_fifo_topics_too(deploy: Callable[..., None], settings: Any) -> None:
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"FIFO_TOPICS": ["order-events"]}
    deploy()

    assert _drift() == {"test-order-events.fifo": ["ContentBasedDeduplication"]}, "not kept either"
    topic = cloudformation.template()["Resources"]["OrderEventsTopic"]["Properties"]
    assert (topic["FifoTopic"], topic["ContentBasedDeduplication"]) == (True, False)
    assert topology.current().queue("analytics-undelivered-in-order").fifo


def test_a_key_that_the_stack_makes_lets_sns_and_the_providers_use_it(
    deploy: Callable[..., None],
) -> None:
    deploy(KmsKey="create")

    queue = client("sqs").get_queue_url(QueueName="test-email")["QueueUrl"]
    asked = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
    key = asked["Attributes"]["KmsMasterKeyId"]
    policy = json.loads(client("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    [allowed] = [each for each in policy["Statement"] if each["Sid"] == "PublishersMayUseIt"]
    assert {"sns.amazonaws.com", "ses.amazonaws.com"} <= set(allowed["Principal"]["Service"])
    assert allowed["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]


def test_alarms_go_to_the_topic_and_those_of_our_metrics_can_be_left_out(
    deploy: Callable[..., None],
) -> None:
    deploy(
        AlarmTopic=arns().topic("wake-somebody"),
        OwnMetrics="no",
        ConsoleUrl="https://orders.example",
    )

    pages = client("cloudwatch").get_paginator("describe_alarms").paginate()
    made = {alarm["AlarmName"]: alarm for page in pages for alarm in page["MetricAlarms"]}
    wanted = [each for each in alarms.alarms(topology.current()) if not each.is_ours]
    assert set(made) == {f"test-{each.name}" for each in wanted}
    old = made["test-queue-old-email"]
    assert old["AlarmActions"] == old["OKActions"] == [arns().topic("wake-somebody")]
    assert old["Dimensions"] == [{"Name": "QueueName", "Value": "test-email"}]
    assert "https://orders.example/admin/console/queues/" in old["AlarmDescription"]
    [shown] = client("cloudwatch").list_dashboards()["DashboardEntries"]
    body = client("cloudwatch").get_dashboard(DashboardName=shown["DashboardName"])
    assert "${" not in body["DashboardBody"]


def test_the_emulator_refuses_alarms_by_metric_math_and_makes_all_others(
    deploy: Callable[..., None],
) -> None:
    """Once it takes them, nothing is to be left out any more."""
    layout = topology.current()
    left_out = _by_metric_math()
    assert {each["Properties"]["AlarmName"]["Fn::Sub"] for each in left_out.values()} == {
        f"${{Prefix}}-{each.name}" for each in alarms.alarms(layout) if each.only_while
    }
    deploy()
    pages = client("cloudwatch").get_paginator("describe_alarms").paginate()
    there = {alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]}
    assert there == {f"test-{each.name}" for each in alarms.alarms(layout) if not each.only_while}

    alarm = next(iter(left_out.values()))
    kept = ("Metrics", "EvaluationPeriods", "Threshold", "ComparisonOperator")
    alone = {"Type": alarm["Type"], "Properties": {it: alarm["Properties"][it] for it in kept}}
    made = client("cloudformation")
    made.create_stack(
        StackName="alone",
        TemplateBody=json.dumps(
            {"Parameters": {"Prefix": {"Type": "String"}}, "Resources": {"Alarm": alone}}
        ),
        Parameters=[{"ParameterKey": "Prefix", "ParameterValue": "test"}],
    )
    with pytest.raises(WaiterError, match="ROLLBACK_COMPLETE"):
        made.get_waiter("stack_create_complete").wait(
            StackName="alone", WaiterConfig={"Delay": 0.2, "MaxAttempts": 50}
        )
    events = made.describe_stack_events(StackName="alone")["StackEvents"]
    assert any("metric math" in each.get("ResourceStatusReason", "") for each in events)


def test_it_stands_in_a_second_region_under_another_prefix(
    deploy: Callable[..., None], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the roles' names are the account's: docs/operating.md, a region that is lost for good."""
    deploy()
    first = _live("test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    forget()
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"PREFIX": "second"}
    deploy(Prefix="second")

    assert _drift() == {}
    assert {"eu-west-1" in arn for arn in _live("second")["topics"]} == {True}
    assert _live("second")["queues"].keys() == first["queues"].keys()
    roles = {each["RoleName"] for each in client("iam").list_roles()["Roles"]}
    assert {"test-relay", "second-relay"} <= roles
