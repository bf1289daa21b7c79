"""The template, the roles and the alarms: what is in them follows from what is registered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError

from notifications import alarms, consumers, roles, topology
from notifications.aws.arns import Arns
from notifications.aws.clients import client
from notifications.aws.cloudformation import template
from notifications.conf import ChannelConf, ProviderConf, conf
from notifications.consumers import Consumer
from notifications.roles import PROVISION, Right
from notifications.topology import Role

ROOT = Path(__file__).resolve().parents[2]
ARNS = Arns("aws", "eu-central-1", "123456789012")
SQS, SNS = "arn:aws:sqs:eu-central-1:123456789012:", "arn:aws:sns:eu-central-1:123456789012:"
LONGEST_PLACE = ("aws-iso-f", "us-isof-south-1", "123456789012")
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd"
TO_POLL = (
    *("sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage"),
    "sqs:ChangeMessageVisibility",
)
SES = Right(
    "SendBySes",
    ("ses:SendEmail", "ses:SendRawEmail"),
    tuple(
        f"arn:aws:ses:eu-central-1:123456789012:{each}"
        for each in ("identity/*", "configuration-set/*")
    ),
)
SMS = Right(
    "SendBySmsVoice",
    ("sms-voice:SendTextMessage",),
    ("arn:aws:sms-voice:eu-central-1:123456789012:*",),
)
WHATSAPP = Right(
    "SendBySocialMessaging",
    ("social-messaging:SendWhatsAppMessage",),
    ("arn:aws:social-messaging:eu-central-1:123456789012:phone-number-id/*",),
)
LOOK = Right("LookIntoQueues", ("sqs:GetQueueUrl", "sqs:GetQueueAttributes"), (f"{SQS}dev-*",))
OF_PROVIDERS = {"email": (SES,), "sms": (SMS,), "whatsapp": (WHATSAPP,)}


@pytest.fixture
def granted() -> dict[str, roles.ProcessRole]:
    return {each.name: each for each in roles.roles(topology.current(prefix="dev"), ARNS)}


def queues(*wanted: Role) -> tuple[str, ...]:
    layout = topology.current(prefix="dev")
    return tuple(f"{SQS}{each.physical}" for each in layout.queues if each.role in wanted)


def test_the_web_process_may_do_nothing_at_aws(granted: dict[str, roles.ProcessRole]) -> None:
    assert (granted["web"].rights, granted["web"].key_actions) == ((), ())


@pytest.mark.S3
def test_a_relay_publishes_sends_and_empties_the_dead_letter_queues_and_no_more(
    granted: dict[str, roles.ProcessRole],
) -> None:
    """Not to the topic of receipts, which are the providers' to publish."""
    assert granted["relay"].rights == (
        Right("Publish", ("sns:Publish",), (f"{SNS}dev-order-events", f"{SNS}dev-stock-events")),
        Right("SendToQueues", ("sqs:SendMessage",), queues(Role.MAIN, Role.BULK)),
        Right(
            "EmptyDeadLetterQueues",
            ("sqs:ReceiveMessage", "sqs:DeleteMessage"),
            queues(Role.DEAD_LETTERS, Role.UNDELIVERED),
        ),
        LOOK,
    )


@pytest.mark.S3
def test_a_worker_has_its_own_queues_dead_letters_and_provider_and_no_more(
    granted: dict[str, roles.ProcessRole],
) -> None:
    """A stolen worker's role can neither publish, nor put an event on any queue."""
    layout = topology.current(prefix="dev")
    for name in {queue.consumer for queue in layout.queues}:
        bulk = (f"{SQS}dev-{name}-bulk",) if layout.bulk_queue(name).role is Role.BULK else ()
        assert granted[f"worker-{name}"].rights == (
            Right("WorkOffItsQueues", TO_POLL, (*bulk, f"{SQS}dev-{name}")),
            Right("GiveUp", ("sqs:GetQueueUrl", "sqs:SendMessage"), (f"{SQS}dev-{name}-dlq",)),
            *OF_PROVIDERS.get(name, ()),
        )


def test_an_operator_looks_and_sends_test_messages_and_changes_nothing(
    granted: dict[str, roles.ProcessRole],
) -> None:
    assert granted["operator"].rights == (
        LOOK,
        Right(
            "LookForDrift",
            ("sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sqs:ListQueueTags"),
            (f"{SNS}dev-*", f"{SQS}dev-*"),
        ),
        Right("LookForDriftAnywhere", ("sns:GetSubscriptionAttributes", "sqs:ListQueues"), ("*",)),
        *(SES, SMS, WHATSAPP),
    )


DEPLOYER = "whoever provisions"
EVERY_WORKER = tuple(f"worker-{name}" for name in ("email", "payments", "receipts"))
CALLS = {
    "publish_batch": ("sns:Publish", ("relay",)),
    "send_message_batch": ("sqs:SendMessage", ("relay",)),
    "receive_message": ("sqs:ReceiveMessage", ("relay", *EVERY_WORKER)),
    "delete_message_batch": ("sqs:DeleteMessage", ("relay", *EVERY_WORKER)),
    "change_message_visibility_batch": ("sqs:ChangeMessageVisibility", EVERY_WORKER),
    "send_message": ("sqs:SendMessage", EVERY_WORKER),
    "get_queue_url": ("sqs:GetQueueUrl", ("relay", "operator", *EVERY_WORKER)),
    "get_queue_attributes": ("sqs:GetQueueAttributes", ("relay", "operator")),
    "list_queues": ("sqs:ListQueues", ("operator",)),
    "list_queue_tags": ("sqs:ListQueueTags", ("operator",)),
    "get_topic_attributes": ("sns:GetTopicAttributes", ("operator",)),
    "get_subscription_attributes": ("sns:GetSubscriptionAttributes", ("operator",)),
    "list_subscriptions_by_topic": ("sns:ListSubscriptionsByTopic", ("operator",)),
    "send_email": ("ses:SendEmail", ("worker-email", "operator")),
    "send_text_message": ("sms-voice:SendTextMessage", ("worker-sms", "operator")),
    "send_whatsapp_message": (
        "social-messaging:SendWhatsAppMessage",
        ("worker-whatsapp", "operator"),
    ),
    "get_caller_identity": ("sts:GetCallerIdentity", ()),  # everybody may
    "create_topic": ("sns:CreateTopic", (DEPLOYER,)),
    "set_topic_attributes": ("sns:SetTopicAttributes", (DEPLOYER,)),
    "subscribe": ("sns:Subscribe", (DEPLOYER,)),
    "set_subscription_attributes": ("sns:SetSubscriptionAttributes", (DEPLOYER,)),
    "create_queue": ("sqs:CreateQueue", (DEPLOYER,)),
    "set_queue_attributes": ("sqs:SetQueueAttributes", (DEPLOYER,)),
}
"""Each call of boto3 in the code, what it asks of IAM, and whose process makes it."""


def test_whoever_makes_a_call_may_make_it(granted: dict[str, roles.ProcessRole]) -> None:
    services = ("sqs", "sns", "sts", "sesv2", "pinpoint-sms-voice-v2", "socialmessaging")
    known = {name for service in services for name in client(service).meta.method_to_api_mapping}
    sources = [
        path.read_text()
        for path in (*ROOT.glob("notifications/**/*.py"), *ROOT.glob("orders_site/**/*.py"))
        if "local" not in path.parts and "demo" not in path.parts
    ]
    talking = [text for text in sources if "aws.clients import" in text]
    called = {
        name
        for text in talking
        for name in re.findall(r'\.(?:get_paginator\("(\w+)"\)|(\w+)\()', text)
        for name in name
        if name in known
    }

    assert called == CALLS.keys(), "add the call here, and the right to the role of who makes it"
    allowed = {
        **{
            name: {action for right in role.rights for action in right.actions}
            for name, role in granted.items()
        },
        DEPLOYER: set(PROVISION),
    }
    for action, callers in CALLS.values():
        for caller in callers:
            assert action in allowed[caller], f"{caller} calls it"


def test_the_template_in_deploy_is_what_is_registered(tmp_path: Path) -> None:
    """`manage.py cloudformation` writes it; settings of the tests change nothing in it."""
    out = StringIO()
    call_command("cloudformation", "--check", stdout=out)
    other = tmp_path / "deploy" / "template.json"
    call_command("cloudformation", "--output", str(other), stdout=out)
    assert json.loads(other.read_text()) == template()

    other.write_text(
        other.read_text().replace('"VisibilityTimeout": 60', '"VisibilityTimeout": 61')
    )
    with pytest.raises(CommandError, match=r"template\.json is not what is registered"):
        call_command("cloudformation", "--check", "--output", str(other), stdout=out)


@pytest.mark.parametrize(
    ("parameter", "refused", "taken"),
    [
        ("Prefix", ["shop/live", "shop live", "äpfel"], ["shop-live"]),
        ("KmsKey", ["alias/shop", "yes"], ["", "create", KEY]),
        ("AlarmTopic", ["pager", KEY], ["", f"{SNS}pager"]),
        ("ConsoleUrl", ["shop.example", "https://shop.example/"], ["https://shop.example"]),
    ],
)
def test_a_parameter_that_cannot_be_meant_is_refused_with_what_to_give(
    parameter: str, refused: list[str], taken: list[str]
) -> None:
    """By CloudFormation, before it makes anything: it asks the whole value to match."""
    declared = template()["Parameters"][parameter]
    fits = [each for each in refused + taken if re.fullmatch(declared["AllowedPattern"], each)]
    assert fits == taken


def test_every_parameter_says_what_to_give() -> None:
    declared = template()["Parameters"]
    assert all(each["ConstraintDescription"] for each in declared.values())
    assert declared["RetentionDays"]["AllowedValues"] == [*range(2, 15)]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"--output .*: Is a directory\. Give a file"):
        call_command("cloudformation", "--output", str(tmp_path))


def test_two_consumers_that_the_template_cannot_tell_apart_are_refused_in_a_sentence(
    request: pytest.FixtureRequest,
) -> None:
    for name in ("loyalty2", "loyalty-2"):
        consumers.register(Consumer(name, task=f"test.{name}", wants=None))
        request.addfinalizer(partial(consumers.unregister, name))
    with pytest.raises(CommandError, match="Two things are called Loyalty2DlqQueue"):
        call_command("cloudformation", "--output", "-", stdout=StringIO())


@pytest.fixture
def loyal(request: pytest.FixtureRequest) -> Callable[[int], None]:
    """Consumers of a large shop, with names of the length that ours have at most."""

    def register(count: int) -> None:
        for number in range(count):
            name = f"loyalty-{number:02}"
            consumers.register(Consumer(name, task=f"test.{name}", wants=None, bulk=True))
            request.addfinalizer(partial(consumers.unregister, name))

    return register


def documents(prefix: str) -> dict[str, Any]:
    """Policies by their logical id, as IAM is given them where names are longest, with a key."""
    partition, region, account = LONGEST_PLACE
    arn = f"arn:{partition}:{{}}:{region}:{account}:{{}}"
    made = template()["Resources"]

    def told(value: Any) -> Any:
        match value:
            case {"Fn::Sub": str(text)}:
                known = {"Partition": partition, "Region": region, "AccountId": account}
                for name, word in known.items():
                    text = text.replace(f"${{AWS::{name}}}", word)
                return text.replace("${Prefix}", prefix)
            case {"Fn::If": ["UsesKey", used, _]}:
                return told(used)
            case {"Fn::If": ["MakesKey", _, _]}:
                return arn.format("kms", f"key/mrk-{'0' * 32}")
            case {"Ref": name} | {"Fn::GetAtt": [name, "Arn"]}:
                named = made[name]["Properties"]
                service = "sqs" if "QueueName" in named else "sns"
                return arn.format(service, told(named.get("QueueName") or named["TopicName"]))
            case dict():
                return {name: told(each) for name, each in value.items()}
            case list():
                return [told(each) for each in value]
        return value

    return {
        name: told(each["Properties"]["PolicyDocument"])
        for name, each in made.items()
        if each["Type"] == "AWS::IAM::ManagedPolicy"
    }


def test_a_role_s_rights_are_shared_out_over_policies_that_iam_takes_under_any_prefix(
    loyal: Callable[[int], None],
) -> None:
    loyal(19)
    made = template()
    longest = "p" * made["Parameters"]["Prefix"]["MaxLength"]
    policies = documents(longest)

    bare = partial(json.dumps, separators=(",", ":"))
    lengths = {name: len(bare(each)) for name, each in policies.items()}
    assert max(lengths.values()) <= 6144
    of_the_relay = [name for name in policies if name.startswith("RelayPolicy")]
    assert of_the_relay == ["RelayPolicy", "RelayPolicy2", "RelayPolicy3"]
    assert sum(lengths[name] for name in of_the_relay) > 2 * 6144, "not more of them than it takes"
    relay = made["Resources"]["RelayRole"]["Properties"]
    assert relay["ManagedPolicyArns"] == [{"Ref": name} for name in of_the_relay]
    names = [made["Resources"][each]["Properties"]["ManagedPolicyName"] for each in of_the_relay]
    assert [each["Fn::Sub"] for each in names] == [
        *("${Prefix}-relay", "${Prefix}-relay.2", "${Prefix}-relay.3")
    ]

    granted = {
        (action, resource)
        for name in of_the_relay
        for each in policies[name]["Statement"]
        if each["Sid"] != "UseTheKey"
        for action in each["Action"]
        for resource in each["Resource"]
    }
    [role] = (
        each
        for each in roles.roles(topology.current(prefix=longest), Arns(*LONGEST_PLACE))
        if each.name == "relay"
    )
    assert granted == {
        (action, resource)
        for right in role.rights
        for action in right.actions
        for resource in right.resources
    }
    assert all(policies[name]["Statement"][-1]["Sid"] == "UseTheKey" for name in of_the_relay)


def test_no_region_makes_a_longer_arn_than_is_counted_with() -> None:
    session = botocore.session.get_session()
    partition, region, _ = LONGEST_PLACE
    assert len(partition + region) == max(
        len(known + each)
        for known in session.get_available_partitions()
        for each in session.get_available_regions("sqs", known, allow_non_regional=False)
    )


@pytest.mark.parametrize("check", [True, False])
def test_more_resources_than_a_stack_may_have_are_refused_in_a_sentence(
    loyal: Callable[[int], None], tmp_path: Path, check: bool
) -> None:
    loyal(30)
    other = tmp_path / "template.json"
    with pytest.raises(
        CommandError,
        match=r"would have \d{3} resources, for 39 consumers, and CloudFormation allows 500: let",
    ):
        call_command("cloudformation", "--output", str(other), check=check, stdout=StringIO())
    assert not other.exists()


def test_settings_that_cannot_be_read_make_no_template(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be one of their defaults: of SES in place of the mail server, say."""
    monkeypatch.setenv("EMAIL_URL", "pigeon://user:opensesame@north")
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "KMS_KEY": "alias/shop"}
    with pytest.raises(SystemCheckError) as caught:
        call_command("cloudformation", "--output", "-", skip_checks=False)
    assert "EMAIL_URL holds what cannot be read" in str(caught.value)
    assert "(an alias is none)" in str(caught.value)


def test_nothing_of_the_machine_that_wrote_it_is_in_the_template() -> None:
    text = json.dumps(template())
    assert "PREFIX-" not in text
    assert "test-" not in text
    assert "000000000000" not in text


def test_a_queue_is_kept_when_its_stack_goes_and_no_role_is_without_a_policy() -> None:
    made = template()["Resources"]
    of_type = {
        kind: [each for each in made.values() if each["Type"] == kind]
        for kind in ("AWS::SQS::Queue", "AWS::IAM::Role")
    }
    assert {each["DeletionPolicy"] for each in of_type["AWS::SQS::Queue"]} == {"Retain"}
    without = [
        each for each in of_type["AWS::IAM::Role"] if not each["Properties"]["ManagedPolicyArns"]
    ]
    assert [each["Properties"]["RoleName"] for each in without] == [{"Fn::Sub": "${Prefix}-web"}]


def test_every_alarm_leads_to_a_page_and_a_runbook_and_ours_are_of_metrics_there_are() -> None:
    layout = topology.current(prefix="dev")
    every = alarms.alarms(layout)
    assert len({each.name for each in every}) == len(every)
    assert {each.page.path for each in every} <= {
        *("/admin/console/overview/", "/admin/console/queues/", "/admin/console/failures/"),
        *("/admin/console/providers/", "/admin/notifications/delivery/?state=unknown"),
        *("/admin/notifications/dispatch/?state=waiting", "/admin/console/overview/#objectives"),
        "/admin/notifications/scheduledevent/?state=refused",
    }
    told = {(each.metric, each.threshold) for each in every if "email" in each.name}
    assert told == {
        ("ApproximateAgeOfOldestMessage", 900),
        ("ApproximateAgeOfOldestMessage", 86400),
        ("ApproximateNumberOfMessagesVisible", 0),
        ("notifications_dead_letters_open", 0),
        ("notifications_lag_seconds", 300),
        ("notifications_queue_oldest_age_seconds", 900),
        ("notifications_unknown_outcomes", 0),
        ("notifications_bounce_ratio", 0.02),
    }
    bounces = {each.name for each in every if each.name.startswith("bounces-")}
    assert bounces == {"bounces-email-ses", "bounces-sms-aws-sms"}, "who tells of bounces"
    [silence] = [each for each in every if each.missing == "breaching"]
    assert silence.metric == "notifications_scrape_errors"
    objectives = {each.name for each in every if each.name.startswith("objective-")}
    assert objectives == {f"objective-{name}" for name in conf().objectives}


@pytest.mark.parametrize(
    ("figure", "other", "wakes"),
    [(400, 120, True), (400, 0, False), (400, 60, False), (200, 120, False)],
)
def test_lag_wakes_only_while_something_waits(figure: int, other: int, wakes: bool) -> None:
    alarm = template()["Resources"]["LagEmailAlarm"]["Properties"]
    [watched] = [each for each in alarm["Metrics"] if each["ReturnData"]]
    found = re.fullmatch(r"IF\(other > (\d+), figure, 0\)", watched["Expression"])
    assert found
    value = figure if other > int(found[1]) else 0
    assert (value > alarm["Threshold"]) == wakes
    assert alarm["TreatMissingData"] == "notBreaching"


def test_an_alarm_of_two_metrics_is_as_cloudwatch_takes_it() -> None:
    """botocore knows the parameters, and the User Guide ("Alarms on math expressions") asks for one
    period. Both metrics are told by one relay in one breath."""
    alarm = template()["Resources"]["LagEmailAlarm"]["Properties"]
    written = json.loads(json.dumps(alarm).replace('{"Fn::Sub": "${Prefix}"}', '"prod"'))
    metrics = written["Metrics"]
    assert not alarm.keys() & {"Namespace", "MetricName", "Dimensions", "Statistic", "Period"}
    assert [each["Id"] for each in metrics if each["ReturnData"]] == ["watched"]
    stats = {each["Id"]: each["MetricStat"] for each in metrics if "MetricStat" in each}
    assert {each["Period"] for each in stats.values()} == {60}
    assert stats["other"]["Metric"] == {
        "Namespace": "Notifications",
        "MetricName": "notifications_queue_oldest_age_seconds",
        "Dimensions": [
            {"Name": "environment", "Value": "prod"},
            {"Name": "queue", "Value": "email"},
        ],
    }
    asked = client("cloudwatch").meta.service_model.operation_model("PutMetricAlarm").input_shape
    report = ParamValidator().validate(
        {"AlarmName": "a", **{it: written[it] for it in ("Metrics", "EvaluationPeriods")}}
        | {"ComparisonOperator": written["ComparisonOperator"]},
        asked,
    )
    assert not report.has_errors(), report.generate_report()


def test_each_of_a_channel_s_providers_has_an_alarm_by_the_name_that_attempts_tell(
    settings: Any,
) -> None:
    email = settings.NOTIFICATIONS["CHANNELS"]["email"]
    two = ChannelConf(
        providers=tuple(
            ProviderConf(name, "notifications.channels.email.SesEmail", email.options)
            for name in ("ireland", "frankfurt")
        )
    )
    channels = settings.NOTIFICATIONS["CHANNELS"] | {"email": two}
    settings.NOTIFICATIONS = settings.NOTIFICATIONS | {"CHANNELS": channels}

    every = alarms.alarms(topology.current(prefix="dev"))

    told = {dict(each.dimensions).get("provider") for each in every if "bounces-email" in each.name}
    assert told == {"ireland", "frankfurt"}
