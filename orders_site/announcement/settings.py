"""The shop, with two SMS providers that share its messages."""

from __future__ import annotations

from dataclasses import replace

from notifications.conf import ProviderConf
from orders_site import settings as shop
from orders_site.settings import *  # noqa: F403

SENDERS = {"north": "+4915100000001", "south": "+4915100000002"}
"""By provider: the number that its messages come from."""

_SMS = shop.NOTIFICATIONS["CHANNELS"]["sms"]

NOTIFICATIONS = {
    **shop.NOTIFICATIONS,
    "CHANNELS": {
        **shop.NOTIFICATIONS["CHANNELS"],
        "sms": replace(
            _SMS,
            adapter="",
            options={},
            providers=tuple(
                ProviderConf(name, _SMS.adapter, {**_SMS.options, "origination_identity": sender})
                for name, sender in SENDERS.items()
            ),
        ),
    },
}
