"""The tests' settings with the probe consumers beside the shop's, as impatient as told."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, NOTIFICATIONS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.worker_app"]
NOTIFICATIONS = {
    **NOTIFICATIONS,
    "VISIBILITY_SECONDS": int(os.environ.get("PROBE_VISIBILITY_SECONDS", "60")),
}
