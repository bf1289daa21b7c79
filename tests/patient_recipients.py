"""The shop's settings, with customers who are sent two mails an hour and no more."""

from dataclasses import replace

from orders_site import settings as shop
from orders_site.settings import *  # noqa: F403

_CHANNELS = shop.NOTIFICATIONS["CHANNELS"]
NOTIFICATIONS = {
    **shop.NOTIFICATIONS,
    "CHANNELS": {**_CHANNELS, "email": replace(_CHANNELS["email"], recipient_limit="2/h")},
}
