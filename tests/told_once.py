"""The shop's settings, with a shipment told once: by push, else SMS, else email."""

from datetime import timedelta

from notifications.conf import Fallback
from orders_site import settings as shop
from orders_site.settings import *  # noqa: F403

RULE = Fallback(("push", "sms", "email"), within=timedelta(minutes=30))
NOTIFICATIONS = {
    **shop.NOTIFICATIONS,
    "ROUTES": {**shop.NOTIFICATIONS["ROUTES"], "order.shipped": [RULE]},
}
