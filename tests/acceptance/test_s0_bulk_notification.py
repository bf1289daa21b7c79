"""S0: one announcement reaches four channels, each on its own queue, none waiting for another."""

from __future__ import annotations

import json

import pytest

from tests.waiting import wait_for

pytestmark = [pytest.mark.S0, pytest.mark.django_db(transaction=True)]

ANNOUNCEMENTS = {"DJANGO_SETTINGS_MODULE": "tests.announcements.settings"}
CHANNELS = ("email", "sms", "whatsapp", "push")


@pytest.fixture
def announce(manage):
    """`announce(n)`: tell n new customers that their payment arrived; gives their addresses."""

    def announce(count: int) -> list[dict[str, str]]:
        printed = manage(str(count), module="tests.announcements.announce", **ANNOUNCEMENTS)
        told: list[dict[str, str]] = json.loads(printed)
        return told

    return announce


def addresses(sandbox, channel: str) -> list[str]:
    return sorted(message.address for message in sandbox.accepted(channel))


def test_s0_one_announcement_reaches_each_channel_once(manage, announce, relay, worker, sandbox):
    manage("provision", **ANNOUNCEMENTS)
    told = announce(5)
    relay(**ANNOUNCEMENTS)
    worker(*CHANNELS, **ANNOUNCEMENTS)
    for channel in CHANNELS:
        called_for = sorted(customer[channel] for customer in told)
        wait_for(
            lambda channel=channel, wanted=called_for: addresses(sandbox, channel) == wanted,
            within=60,
            what=f"the announcement by {channel}",
        )


def test_s0_a_hanging_channel_keeps_none_of_the_others_waiting(
    manage, announce, relay, worker, sandbox
):
    manage("provision", **ANNOUNCEMENTS)
    sandbox.script("sms", "hang")
    for channel in CHANNELS:
        worker(channel, **ANNOUNCEMENTS)
    relay(**ANNOUNCEMENTS)
    told = announce(5)
    for channel in ("email", "whatsapp", "push"):
        called_for = sorted(customer[channel] for customer in told)
        wait_for(
            lambda channel=channel, wanted=called_for: addresses(sandbox, channel) == wanted,
            within=60,
            what=f"the announcement by {channel} while SMS hangs",
        )
    wait_for(lambda: sandbox.requests("sms") >= 5, within=30, what="SMS to have been tried")
    assert addresses(sandbox, "sms") == []
