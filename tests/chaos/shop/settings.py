"""The shop's settings, with time scaled down so that a run of minutes holds many lives.

Leases are 8 s instead of 30, messages are hidden for 12 s instead of 60, a provider has 2 s to
answer instead of 10. Each is about a quarter, so that they stand to one another as in production.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from notifications.conf import ChannelConf
from orders_site import settings as shop
from orders_site.settings import *  # noqa: F403

PATIENCE: dict[str, Any] = {"connect_timeout": 1.0, "read_timeout": 2.0}
LEASE, VISIBILITY = 8, 12


def impatient(notifications: Mapping[str, Any]) -> dict[str, Any]:
    """The same NOTIFICATIONS with these times."""
    channels: Mapping[str, ChannelConf] = notifications["CHANNELS"]
    return {
        **notifications,
        "VISIBILITY_SECONDS": VISIBILITY,
        "CHANNELS": {
            name: replace(conf, options={**conf.options, **PATIENCE}, max_seconds=LEASE)
            for name, conf in channels.items()
        },
    }


ROOT_URLCONF = "tests.chaos.shop.urls"
NOTIFICATIONS = impatient(shop.NOTIFICATIONS)
PAYMENTS = {**shop.PAYMENTS, **PATIENCE}
