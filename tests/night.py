"""The shop's settings, with quiet hours for email and a digest of orders, as the test says them.

NIGHT: "21:00-08:00". DIGESTED: an event type that is told in a digest, five at once or after an
hour.
"""

import os
from datetime import timedelta
from pathlib import Path

from notifications.conf import Digest, QuietHours, Route
from orders_site import settings as shop
from orders_site.settings import *  # noqa: F403

NOTIFICATIONS = {**shop.NOTIFICATIONS}
if night := os.environ.get("NIGHT"):
    NOTIFICATIONS["QUIET_HOURS"] = {"email": QuietHours(*night.split("-"))}
if digested := os.environ.get("DIGESTED"):
    DIGEST = Digest("tests.digest", window=timedelta(hours=1), most=5)
    NOTIFICATIONS["ROUTES"] = {
        **shop.NOTIFICATIONS["ROUTES"],
        digested: [Route("email", digest=DIGEST)],
    }
    TEMPLATES = [
        {**shop.TEMPLATES[0], "DIRS": [Path(__file__).parent / "templates"]},
        *shop.TEMPLATES[1:],
    ]
