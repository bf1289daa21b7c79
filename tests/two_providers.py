"""The shop's settings, with mail sent by two accounts, each with a limit of its own."""

from notifications.conf import ChannelConf, ProviderConf
from orders_site import settings as shop
from orders_site.settings import *  # noqa: F403

FIRST, OTHER = "first@shop.example", "other@shop.example"
LIMITS = {FIRST: 30, OTHER: 20}
"""Mails a second."""


def _account(sender: str, weight: float) -> ProviderConf:
    name, _, _ = sender.partition("@")
    options = {"from_address": f"Harbour & Pine <{sender}>"}
    adapter = "notifications.channels.email.SesEmail"
    return ProviderConf(name, adapter, options, weight, f"{LIMITS[sender]}/s")


NOTIFICATIONS = {
    **shop.NOTIFICATIONS,
    "CHANNELS": {
        **shop.NOTIFICATIONS["CHANNELS"],
        "email": ChannelConf(providers=(_account(FIRST, 4), _account(OTHER, 1))),
    },
}
