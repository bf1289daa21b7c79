"""The roles of processes as resources of the template."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from notifications.aws.template_parameters import (
    HERE,
    KEY_ARN,
    NOTHING,
    PREFIX,
    USES_KEY,
    Resource,
    logical_id,
)
from notifications.roles import ProcessRole, Right

MAX_POLICY = 6144
"""Characters that IAM allows a managed policy, white space aside. A role may have ten policies (IAM
User Guide, "IAM and AWS STS quotas"), more than a stack's resources can fill."""

_LONGEST = {
    "${AWS::Partition}": "aws-iso-f",
    "${AWS::Region}": "us-isof-south-1",
    "${AWS::AccountId}": "123456789012",
}
"""What may stand in an ARN in place of these, at its longest together."""

_LONGEST_KEY = HERE.of("kms", f"key/mrk-{'0' * 32}")


def role_resources(role: ProcessRole, longest_prefix: int) -> Iterator[tuple[str, Resource]]:
    """A role, and before it its policies, which can be attached to others, too: as a rule one."""
    logical = logical_id(role.name)
    has = []
    for number, rights in enumerate(_in_policies(role, longest_prefix), 1):
        more = "" if number == 1 else str(number)
        policy = f"{logical}Policy{more}"
        has.append({"Ref": policy})
        yield (
            policy,
            {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {
                    # no consumer's name has a dot, so no other role's policy is called so
                    "ManagedPolicyName": f"{PREFIX}-{role.name}{more and f'.{more}'}",
                    "Description": role.purpose,
                    "PolicyDocument": _document(rights, role),
                },
            },
        )
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


def _in_policies(role: ProcessRole, longest_prefix: int) -> list[list[Right]]:
    """Its rights, shared out over as few policies as have room for them under any prefix: where one
    is full, a right goes on in the next with the rest of its resources."""
    policies: list[list[Right]] = []
    for right in role.rights:
        for resource in right.resources:
            fuller = _with(policies[-1] if policies else [], right, resource)
            if policies and _length(fuller, role, longest_prefix) <= MAX_POLICY:
                policies[-1] = fuller
            else:
                policies.append(_with([], right, resource))
    return policies


def _with(rights: list[Right], right: Right, resource: str) -> list[Right]:
    if rights and rights[-1].name == right.name:
        last = replace(right, resources=(*rights[-1].resources, resource))
        return [*rights[:-1], last]
    return [*rights, replace(right, resources=(resource,))]


def _length(rights: list[Right], role: ProcessRole, longest_prefix: int) -> int:
    """Characters as IAM counts them, wherever the stack is made."""
    text = json.dumps(_document(rights, role, longest=True), separators=(",", ":"))
    for name, value in {**_LONGEST, PREFIX: "p" * longest_prefix}.items():
        text = text.replace(name, value)
    return len(text)


def _document(rights: list[Right], role: ProcessRole, *, longest: bool = False) -> dict[str, Any]:
    """Each with the right to the key, so that each is enough for what it names. `longest`: as with
    a key."""
    statements: list[Any] = [
        {
            "Sid": right.name,
            "Effect": "Allow",
            "Action": list(right.actions),
            "Resource": list(right.resources),
        }
        for right in rights
    ]
    if role.key_actions:
        of_the_key = {
            "Sid": "UseTheKey",
            "Effect": "Allow",
            "Action": list(role.key_actions),
            "Resource": _LONGEST_KEY if longest else KEY_ARN,
        }
        either = {"Fn::If": [USES_KEY, of_the_key, NOTHING]}
        statements.append(of_the_key if longest else either)
    return {"Version": "2012-10-17", "Statement": statements}


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
