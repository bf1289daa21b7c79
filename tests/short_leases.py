"""The shop's settings with impatient channels, so that what a dead sender held is free soon."""

from dataclasses import replace
from typing import Any

from notifications.conf import ChannelConf
from orders_site import settings as shop
from orders_site.settings import *  # noqa: F403

PATIENCE: dict[str, Any] = {"connect_timeout": 1.0, "read_timeout": 2.0}
LEASE = 4
VISIBILITY = 6
"""Seconds: longer than a lease, so that whoever receives the message finds it at its end."""


def _impatient(channel: ChannelConf) -> ChannelConf:
    return replace(channel, options={**channel.options, **PATIENCE}, max_seconds=LEASE)


PAYMENTS = {**shop.PAYMENTS, "connect_timeout": 0.5, "read_timeout": 2.0}

NOTIFICATIONS = {
    **shop.NOTIFICATIONS,
    "VISIBILITY_SECONDS": VISIBILITY,
    "CHANNELS": {
        name: _impatient(channel) for name, channel in shop.NOTIFICATIONS["CHANNELS"].items()
    },
}
