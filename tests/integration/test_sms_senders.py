"""Each SMS leaves with the sender of its country, through the real SDK."""

from __future__ import annotations

from typing import Any

import pytest

from notifications.channels.sms import EndUserMessagingSms
from notifications.checks import check_adapters
from notifications.conf import ChannelConf
from notifications.local.providers.client import SandboxClient
from tests.channels import message_to


def test_the_number_s_country_chooses_the_sender(sandbox: SandboxClient) -> None:
    adapter = EndUserMessagingSms("+15005550006", senders={"DE": "MyShop"})

    adapter.send(message_to("+49 151 12345678"))
    adapter.send(message_to("+1 206 555 0123"))

    assert {each.address: each.sender for each in sandbox.accepted("sms")} == {
        "+4915112345678": "MyShop",
        "+12065550123": "+15005550006",
    }


def test_a_wrong_sender_is_a_system_check(settings: Any) -> None:
    described = ChannelConf(
        "notifications.channels.sms.EndUserMessagingSms", {"senders": {"US": "MyShop"}}
    )
    settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "CHANNELS": {"sms": described}}

    (problem,) = check_adapters()

    assert problem.id == "notifications.E005"
    assert "no sender ids exist there" in problem.msg


@pytest.mark.parametrize("identity", ["", "+15005550006"])
def test_one_sender_or_none_needs_no_countries(sandbox: SandboxClient, identity: str) -> None:
    EndUserMessagingSms(identity).send(message_to("+4915112345678"))

    assert [each.sender for each in sandbox.accepted("sms")] == [identity]
