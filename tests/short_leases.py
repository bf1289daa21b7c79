"""The shop's settings with an impatient mail channel, so that a dead sender's lease ends soon."""

from dataclasses import replace

from orders_site import settings as shop
from orders_site.settings import *  # noqa: F403

_EMAIL = shop.NOTIFICATIONS["CHANNELS"]["email"]
NOTIFICATIONS = {
    **shop.NOTIFICATIONS,
    "CHANNELS": {
        **shop.NOTIFICATIONS["CHANNELS"],
        "email": replace(
            _EMAIL,
            options={**_EMAIL.options, "connect_timeout": 1.0, "read_timeout": 2.0},
            max_seconds=4,
        ),
    },
}
