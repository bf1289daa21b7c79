"""The shop with one more event type, told over all four channels."""

from typing import Any

from notifications.conf import Route
from orders_site import settings as shop
from orders_site.settings import *  # noqa: F403

INSTALLED_APPS = [*shop.INSTALLED_APPS, "tests.announcements"]
TEMPLATES: list[dict[str, Any]] = shop.TEMPLATES
NOTIFICATIONS = {
    **shop.NOTIFICATIONS,
    "ROUTES": {
        **shop.NOTIFICATIONS["ROUTES"],
        "payment_successful": [
            Route("email"),
            Route("sms"),
            Route("whatsapp"),
            Route("push"),
        ],
    },
    "RECIPIENTS": "tests.announcements.recipients.resolve",
    "CONTEXT": "tests.announcements.recipients.context",
    "STILL_TRUE": "tests.announcements.recipients.no_longer_true",
}
