"""The topology in the words of SNS and SQS: attributes and policies, all of them text."""

from __future__ import annotations

import json
from typing import Any

from notifications.aws.arns import Arns
from notifications.topics import Topic
from notifications.topology import Queue, Subscription

NONE = ""
"""An attribute that must not be there: SQS takes the empty text as "remove it"."""

UNFILTERED = "{}"
"""What SNS takes as "no filter policy"."""

UNTOUCHED_QUEUE = {
    "DelaySeconds": "0",
    "RedriveAllowPolicy": '{"redrivePermission": "allowAll"}',
}
UNTOUCHED_SUBSCRIPTION = {"FilterPolicy": UNFILTERED, "FilterPolicyScope": "MessageAttributes"}
"""What they have unless somebody changed it. We set none of these: that they are so is looked at,
because a delay, or a filter on what is in the body, would hold events back without a word."""

LARGEST_PUBLISHED = 256 * 1024
"""Bytes. A queue that takes less refuses what SNS has taken."""


def topic_attributes(topic: Topic, arns: Arns) -> dict[str, str]:
    attributes = {"KmsMasterKeyId": topic.kms_key or NONE}
    if topic.fifo:
        attributes |= {"FifoTopic": "true", "ContentBasedDeduplication": "false"}
    if topic.publishers:
        attributes["Policy"] = _topic_policy(topic, arns)
    return attributes


def queue_attributes(queue: Queue, arns: Arns) -> dict[str, str]:
    attributes = {
        "VisibilityTimeout": str(queue.visibility_timeout),
        "MessageRetentionPeriod": str(queue.retention),
        "ReceiveMessageWaitTimeSeconds": str(queue.long_poll),
        "RedrivePolicy": _redrive_policy(queue, arns),
        "Policy": _queue_policy(queue, arns),
        **_encryption(queue),
    }
    if queue.fifo:
        attributes |= {"FifoQueue": "true", "ContentBasedDeduplication": "false"}
    return attributes


def subscription_attributes(subscription: Subscription, arns: Arns) -> dict[str, str]:
    types = subscription.event_types
    return {
        "RawMessageDelivery": "true" if subscription.raw else "false",
        "FilterPolicy": UNFILTERED if types is None else json.dumps({"event_type": list(types)}),
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": arns.queue(subscription.undelivered)}),
    }


def same(wanted: str, live: str) -> bool:
    """Whether two attributes mean the same: JSON is compared as such, in any spelling."""
    return wanted == live or _meaning(wanted) == _meaning(live)


def _topic_policy(topic: Topic, arns: Arns) -> str:
    """These services may publish, for our account only: IAM says who else may."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "ProvidersMayPublish",
                    "Effect": "Allow",
                    "Principal": {"Service": sorted(topic.publishers)},
                    "Action": "sns:Publish",
                    "Resource": arns.topic(topic.physical),
                    "Condition": {"StringEquals": {"aws:SourceAccount": arns.account}},
                }
            ],
        }
    )


def _encryption(queue: Queue) -> dict[str, str]:
    """By one key or the other: SQS gives up its own when it is given one of KMS."""
    if queue.kms_key:
        return {"KmsMasterKeyId": queue.kms_key}
    return {"KmsMasterKeyId": NONE, "SqsManagedSseEnabled": "true"}


def _redrive_policy(queue: Queue, arns: Arns) -> str:
    if queue.redrive is None:
        return NONE
    return json.dumps(
        {
            "deadLetterTargetArn": arns.queue(queue.redrive.queue),
            "maxReceiveCount": str(queue.redrive.max_receive_count),
        }
    )


def _queue_policy(queue: Queue, arns: Arns) -> str:
    """Exactly its topics may send. Without it SNS publishes into the void."""
    if not queue.senders:
        return NONE
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "ItsTopicsMaySend",
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": arns.queue(queue.physical),
                    "Condition": {
                        "ArnEquals": {
                            "aws:SourceArn": [arns.topic(sender) for sender in queue.senders]
                        }
                    },
                }
            ],
        }
    )


def _meaning(attribute: str) -> Any:
    try:
        meaning = json.loads(attribute)
    except ValueError:
        return attribute
    if isinstance(meaning, dict):  # SQS may give the count back as a number
        return {
            name: str(value) if name == "maxReceiveCount" else value
            for name, value in meaning.items()
        } or NONE
    return meaning
