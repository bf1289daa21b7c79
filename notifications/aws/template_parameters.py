"""What the CloudFormation template leaves open, what stands in its place, and its names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from notifications.aws.arns import Arns
from notifications.setting import FEWEST_RETENTION_DAYS, KMS_KEY_ARN, RETENTION_DAYS
from notifications.topics import MAX_NAME
from notifications.topology import Topology

PREFIX = "PREFIX"
"""In place of the environment's, until it is `${Prefix}`."""

KEY = "KEY"
"""In place of the KMS key's ARN."""

HERE = Arns("${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}")

NOTHING = {"Ref": "AWS::NoValue"}

Resource = dict[str, Any]

USES_KEY, MAKES_KEY = "UsesKey", "MakesKey"
HAS_ALARM_TOPIC, OWN_METRICS = "HasAlarmTopic", "OwnMetrics"

CONDITIONS: dict[str, Any] = {
    USES_KEY: {"Fn::Not": [{"Fn::Equals": [{"Ref": "KmsKey"}, ""]}]},
    MAKES_KEY: {"Fn::Equals": [{"Ref": "KmsKey"}, "create"]},
    HAS_ALARM_TOPIC: {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmTopic"}, ""]}]},
    OWN_METRICS: {"Fn::Equals": [{"Ref": "OwnMetrics"}, "yes"]},
}

KEY_ARN = {"Fn::If": [MAKES_KEY, {"Fn::GetAtt": ["Key", "Arn"]}, {"Ref": "KmsKey"}]}

RETENTION = {"Fn::FindInMap": ["Days", {"Ref": "RetentionDays"}, "Seconds"]}
"""CloudFormation cannot reckon."""


MAX_ROLE_NAME = 64
"""Characters that IAM allows a role's name."""


def longest_prefix(layout: Topology, role_names: Iterable[str]) -> int:
    """Characters that the names which begin with it leave to the environment's."""
    longest = max(len(each.physical) - len(layout.prefix) for each in layout.queues)
    longest_role = max(len(f"-{name}") for name in role_names)
    return min(MAX_NAME - longest, MAX_ROLE_NAME - longest_role)


def parameters(longest_prefix: int) -> dict[str, Any]:
    return {
        "Prefix": {
            "Type": "String",
            "Description": "NOTIFICATIONS_PREFIX, the environment: it starts every name",
            "AllowedPattern": "[A-Za-z0-9_-]+",
            "ConstraintDescription": f"letters, digits, - and _, at most {longest_prefix}: IAM and"
            " SQS bound the names that begin with it",
            "MinLength": 1,
            "MaxLength": longest_prefix,
        },
        "RetentionDays": {
            "Type": "Number",
            "Description": "NOTIFICATIONS_QUEUE_RETENTION_DAYS, for which a queue keeps a message",
            "Default": RETENTION_DAYS,
            "AllowedValues": list(range(FEWEST_RETENTION_DAYS, RETENTION_DAYS + 1)),
            "ConstraintDescription": f"whole days, {FEWEST_RETENTION_DAYS} to {RETENTION_DAYS}",
        },
        "KmsKey": {
            "Type": "String",
            "Description": "Empty: SQS encrypts by its own key. create: by a key that this stack"
            " makes. Or the ARN of a key whose policy lets SNS and the providers use it",
            "Default": "",
            "AllowedPattern": f"(create|{KMS_KEY_ARN})?",
            "ConstraintDescription": "nothing, the word create, or the ARN of a key,"
            " arn:aws:kms:REGION:ACCOUNT:key/ID; an alias is none",
        },
        "AlarmTopic": {
            "Type": "String",
            "Description": "The ARN of the SNS topic that alarms go to; empty: they wake nobody",
            "Default": "",
            "AllowedPattern": "(arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)?",
            "ConstraintDescription": "nothing, or the ARN of a standard SNS topic,"
            " arn:aws:sns:REGION:ACCOUNT:NAME",
        },
        "OwnMetrics": {
            "Type": "String",
            "Description": "yes: the processes tell CloudWatch their metrics, so alarm on them",
            "Default": "yes",
            "AllowedValues": ["yes", "no"],
            "ConstraintDescription": "yes or no",
        },
        "ConsoleUrl": {
            "Type": "String",
            "Description": "Where operators reach the console: alarms lead there",
            "Default": "https://ops.shop.example",
            "AllowedPattern": "https?://[^/ ]+(/[^ ]*[^/ ])?",
            "ConstraintDescription": "an address with https://, and no / at its end",
        },
    }


def mappings() -> dict[str, Any]:
    days = range(FEWEST_RETENTION_DAYS, RETENTION_DAYS + 1)
    return {"Days": {str(day): {"Seconds": day * 24 * 3600} for day in days}}


def logical_id(name: str, kind: str = "") -> str:
    """ "email-bulk" → "EmailBulk…": a logical id is of letters and digits."""
    return "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", name)) + kind
