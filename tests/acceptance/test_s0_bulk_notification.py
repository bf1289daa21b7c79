"""S0: one announcement reaches four channels, each on its own queue, none waiting for another."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.waiting import wait_for

pytestmark = [pytest.mark.S0, pytest.mark.django_db(transaction=True)]

ANNOUNCEMENTS = {"DJANGO_SETTINGS_MODULE": "tests.announcements.settings"}
CHANNELS = ("email", "sms", "whatsapp", "push")


@pytest.fixture
def announce(manage):
    """`announce(n, m)`: tell new customers, no. n to m - 1, that their payment arrived; gives
    their addresses."""

    def announce(first: int, end: int) -> list[dict[str, str]]:
        numbers = (str(first), str(end))
        printed = manage(*numbers, module="tests.announcements.announce", **ANNOUNCEMENTS)
        told: list[dict[str, str]] = json.loads(printed)
        return told

    return announce


def addresses(sandbox, channel: str) -> list[str]:
    return sorted(message.address for message in sandbox.accepted(channel))


def has_reached(sandbox, channel: str, told: list[dict[str, str]]) -> bool:
    """Each of them once, and nobody else."""
    return addresses(sandbox, channel) == sorted(customer[channel] for customer in told)


def test_s0_one_announcement_reaches_each_channel_once_and_none_waits_for_one_that_hangs(
    manage, announce, relay, worker, sandbox
):
    manage("provision", **ANNOUNCEMENTS)
    relay(**ANNOUNCEMENTS)
    for queues in (("sms",), ("email", "whatsapp", "push")):
        worker(*queues, **ANNOUNCEMENTS)

    told = announce(0, 5)
    for channel in CHANNELS:
        wait_for(
            partial(has_reached, sandbox, channel, told),
            within=60,
            what=f"the announcement by {channel}",
        )

    sandbox.script("sms", "hang")
    asked, reached = sandbox.requests("sms"), addresses(sandbox, "sms")
    told += announce(5, 10)
    for channel in ("email", "whatsapp", "push"):
        wait_for(
            partial(has_reached, sandbox, channel, told),
            within=60,
            what=f"the announcement by {channel} while SMS hangs",
        )
    wait_for(lambda: sandbox.requests("sms") >= asked + 5, within=30, what="SMS to be tried")
    assert addresses(sandbox, "sms") == reached
