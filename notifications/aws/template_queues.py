"""The KMS key, topics, queues and subscriptions as resources of the template."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from notifications import roles
from notifications.aws.attributes import (
    NONE,
    queue_attributes,
    subscription_attributes,
    topic_attributes,
)
from notifications.aws.provision import ENVIRONMENT_TAG
from notifications.aws.template_parameters import (
    HERE,
    KEY,
    KEY_ARN,
    MAKES_KEY,
    NOTHING,
    PREFIX,
    RETENTION,
    USES_KEY,
    Resource,
    logical_id,
)
from notifications.topics import Topic
from notifications.topology import Queue, Subscription, Topology


def key_resource(layout: Topology) -> Resource:
    """Who publishes to a topic, and SNS, which sends to a queue, must be let use the key: without
    that SNS publishes into the void."""
    services = {
        "sns.amazonaws.com",
        *(name for topic in layout.topics for name in topic.publishers),
    }
    return {
        "Type": "AWS::KMS::Key",
        "Condition": MAKES_KEY,
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "Description": f"What lies on the topics and queues of {PREFIX}",
            "EnableKeyRotation": True,
            "KeyPolicy": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "ItsAccountMayGiveRights",
                        "Effect": "Allow",
                        "Principal": {"AWS": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"},
                        "Action": "kms:*",
                        "Resource": "*",
                    },
                    {
                        "Sid": "PublishersMayUseIt",
                        "Effect": "Allow",
                        "Principal": {"Service": sorted(services)},
                        "Action": list(roles.KEY),
                        "Resource": "*",
                        "Condition": {
                            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
                        },
                    },
                ],
            },
        },
    }


def topic_resources(topic: Topic) -> Iterator[tuple[str, Resource]]:
    attributes = _either(
        topic_attributes(replace(topic, kms_key=KEY), HERE), topic_attributes(topic, HERE)
    )
    policy = attributes.pop("Policy", None)
    logical = logical_id(topic.name, "Topic")
    yield (
        logical,
        {
            "Type": "AWS::SNS::Topic",
            "Properties": {"TopicName": topic.physical, **attributes},
        },
    )
    if policy:
        properties = {"Topics": [{"Ref": logical}], "PolicyDocument": policy}
        yield f"{logical}Policy", {"Type": "AWS::SNS::TopicPolicy", "Properties": properties}


def queue_resources(queue: Queue) -> Iterator[tuple[str, Resource]]:
    """Kept when its stack or its consumer goes: it may hold messages."""
    attributes = _either(
        queue_attributes(replace(queue, kms_key=KEY), HERE), queue_attributes(queue, HERE)
    )
    policy = attributes.pop("Policy", None)
    if not queue.role.is_grave:
        attributes["MessageRetentionPeriod"] = RETENTION
    logical = logical_id(queue.name, "Queue")
    tag = {"Key": ENVIRONMENT_TAG, "Value": {"Ref": "Prefix"}}
    yield (
        logical,
        {
            "Type": "AWS::SQS::Queue",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"QueueName": queue.physical, **attributes, "Tags": [tag]},
        },
    )
    if policy:
        properties = {"Queues": [{"Ref": logical}], "PolicyDocument": policy}
        yield f"{logical}Policy", {"Type": "AWS::SQS::QueuePolicy", "Properties": properties}


def subscription_resource(subscription: Subscription) -> Resource:
    attributes = _properties(subscription_attributes(subscription, HERE))
    return {
        "Type": "AWS::SNS::Subscription",
        "Properties": {
            "TopicArn": HERE.topic(subscription.topic),
            "Protocol": "sqs",
            "Endpoint": HERE.queue(subscription.queue),
            **{name: value for name, value in attributes.items() if value != {}},
        },
    }


def _either(with_key: Mapping[str, str], without: Mapping[str, str]) -> dict[str, Any]:
    """Properties that say what the attributes of the one case and the other do."""
    one, other = _properties(with_key), _properties(without)
    return {
        name: one[name]
        if name in one and one[name] == other.get(name)
        else {"Fn::If": [USES_KEY, one.get(name, NOTHING), other.get(name, NOTHING)]}
        for name in dict.fromkeys((*one, *other))
    }


def _properties(attributes: Mapping[str, str]) -> dict[str, Any]:
    """CloudFormation calls them alike, and wants numbers, truths and documents, where SQS and SNS
    want texts."""
    return {
        name: KEY_ARN if text == KEY else _typed(text)
        for name, text in attributes.items()
        if text != NONE
    }


def _typed(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict) and "maxReceiveCount" in value:
        value["maxReceiveCount"] = int(value["maxReceiveCount"])
    return value
