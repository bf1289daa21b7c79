"""Whom the policy of a topic lets publish that are none of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from notifications.aws.strangers import publishers

US, THEM = "000000000000", "999999999999"


def allowed(statement: dict[str, Any]) -> list[str]:
    told = {"Effect": "Allow", "Action": "sns:Publish", "Principal": "*"} | statement
    found = publishers("order-events", json.dumps({"Statement": told}), US)
    return [stranger.name.partition(" ")[0] for stranger in found]


@pytest.mark.parametrize(
    ("statement", "strangers"),
    [
        ({}, ["*"]),
        ({"Principal": {"AWS": [US, f"arn:aws:iam::{US}:role/relay"]}}, []),
        ({"Principal": {"AWS": [US, THEM]}}, [THEM]),
        ({"Condition": {"StringEquals": {"AWS:SourceOwner": US}}}, []),  # what SNS begins with
        ({"Condition": {"StringEquals": {"aws:SourceAccount": [US, THEM]}}}, ["*"]),
        ({"Condition": {"StringEqualsIfExists": {"aws:PrincipalAccount": US}}}, ["*"]),
        ({"Action": "sns:Subscribe"}, []),
        ({"Effect": "Deny"}, []),
    ],
)
def test_who_may_publish_beyond_the_account_is_named(
    statement: dict[str, Any], strangers: list[str]
) -> None:
    assert allowed(statement) == strangers


def test_everybody_but_somebody_is_everybody() -> None:
    policy = {"Effect": "Allow", "NotPrincipal": {"AWS": THEM}, "Action": "sns:*"}
    (found,) = publishers("order-events", json.dumps({"Statement": policy}), US)
    assert found.name == "* → order-events"
