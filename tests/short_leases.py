"""The shop's settings with impatient channels, so that a dead sender's lease ends soon."""

from dataclasses import replace
from typing import Any

from notifications.conf import ChannelConf
from orders_site import settings as shop
from orders_site.settings import *  # noqa: F403

PATIENCE: dict[str, Any] = {"connect_timeout": 1.0, "read_timeout": 2.0}
LEASE = 4


def _impatient(channel: ChannelConf) -> ChannelConf:
    return replace(channel, options={**channel.options, **PATIENCE}, max_seconds=LEASE)


NOTIFICATIONS = {
    **shop.NOTIFICATIONS,
    "CHANNELS": {
        name: _impatient(channel) for name, channel in shop.NOTIFICATIONS["CHANNELS"].items()
    },
}
