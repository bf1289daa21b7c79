"""The roles of processes as resources of the template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from notifications.aws.template_parameters import (
    KEY_ARN,
    NOTHING,
    PREFIX,
    USES_KEY,
    Resource,
    logical_id,
)
from notifications.roles import ProcessRole


def role_resources(role: ProcessRole) -> Iterator[tuple[str, Resource]]:
    """A policy that can be attached to others, too, and a role that has it."""
    logical = logical_id(role.name)
    statements: list[Any] = [
        {
            "Sid": right.name,
            "Effect": "Allow",
            "Action": list(right.actions),
            "Resource": list(right.resources),
        }
        for right in role.rights
    ]
    if role.key_actions:
        of_the_key = {
            "Sid": "UseTheKey",
            "Effect": "Allow",
            "Action": list(role.key_actions),
            "Resource": KEY_ARN,
        }
        statements.append({"Fn::If": [USES_KEY, of_the_key, NOTHING]})
    if statements:
        yield (
            f"{logical}Policy",
            {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {
                    "ManagedPolicyName": f"{PREFIX}-{role.name}",
                    "Description": role.purpose,
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
                },
            },
        )
    has = [{"Ref": f"{logical}Policy"}] if statements else []
    yield (
        f"{logical}Role",
        {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": f"{PREFIX}-{role.name}",
                "Description": role.purpose,
                "AssumeRolePolicyDocument": _TASKS,
                "ManagedPolicyArns": has,
            },
        },
    )


_TASKS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "TasksOfEcs",
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        },
        {
            "Sid": "PodsOfEks",
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        },
    ],
}
