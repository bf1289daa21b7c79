"""The sandbox says later what became of its messages, where and when it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from notifications.channels.receipts.reader import read
from notifications.local.providers.client import SandboxClient
from notifications.local.sandbox import send_receipts
from tests.channels import ADAPTERS, PATIENCE, TAG, message_to
from tests.queues import depth, take_all
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

BY_NAME = {channel.name: channel for channel in ADAPTERS}


@pytest.fixture
def send(environment: dict[str, str]) -> Callable[[str], None]:
    def send(channel: str) -> None:
        adapter = BY_NAME[channel].make(PATIENCE)
        adapter.send(message_to(BY_NAME[channel].address))

    return send


def said() -> list[tuple[str, str]]:
    """(tag, kind) of every receipt on the queue, in order; they are taken."""
    envelopes = [read(message["Body"]) for message in take_all("receipts")]
    receipts = [told for found in envelopes if found for told in found.data["receipts"]]
    return [
        (f"{told['delivery_id']}.{told['generation']}.{told['number']}", told["kind"])
        for told in receipts
    ]


@pytest.mark.parametrize("channel", ["email", "sms", "whatsapp"])
def test_a_message_that_was_taken_is_spoken_of(
    channel: str, receipts: None, send: Callable[[str], None]
) -> None:
    send(channel)
    wait_for(lambda: depth("receipts") == 2)
    assert sorted(said()) == [(TAG, "accepted"), (TAG, "delivered")]


def test_so_is_one_whose_answer_was_withheld(
    receipts: None, send: Callable[[str], None], sandbox: SandboxClient
) -> None:
    sandbox.script("sms", "accept_then_drop", times=1)
    sandbox.script_receipts("sms", ["bounced"])
    with pytest.raises(Exception, match="connection_lost"):
        send("sms")
    wait_for(lambda: depth("receipts") == 1)
    assert said() == [(TAG, "bounced")]


def test_nothing_is_said_unless_it_is_told_where_to(
    environment: dict[str, str], send: Callable[[str], None], sandbox: SandboxClient, stack: Any
) -> None:
    send("email")
    send_receipts({**stack.environment, "AWS_ENDPOINT_URL": "https://sns.example"}, "test-receipts")
    send("email")
    send_receipts(stack.environment, "test-receipts")
    sandbox.script_receipts("email", ["delayed"])
    send("email")
    wait_for(lambda: depth("receipts") == 1)
    assert said() == [(TAG, "delayed")]


def test_what_a_provider_never_says_is_refused(sandbox: SandboxClient) -> None:
    with pytest.raises(ValueError, match="No receipt of sms says complained"):
        sandbox.script_receipts("sms", ["complained"])
    with pytest.raises(ValueError, match="No receipt of push says delivered"):
        sandbox.script_receipts("push", ["delivered"])


def test_it_publishes_on_this_machine_only(sandbox: SandboxClient) -> None:
    with pytest.raises(ValueError, match="an emulator on this machine"):
        sandbox.send_receipts(endpoint="https://sns.eu-central-1.amazonaws.com", topic="arn:x")


def test_an_address_of_an_email_is_in_the_providers_words_and_not_in_ours(
    receipts: None, send: Callable[[str], None], sandbox: SandboxClient
) -> None:
    sandbox.script_receipts("email", ["bounced"], address=BY_NAME["email"].address)
    send("email")
    wait_for(lambda: depth("receipts") == 1)
    [message] = take_all("receipts")
    found = read(message["Body"])
    assert found is not None
    assert BY_NAME["email"].address in message["Body"]
    assert BY_NAME["email"].address not in json.dumps(found.data)
