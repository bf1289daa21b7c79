"""Event consumers: `celery -A library.notifications_worker worker -Q email,statistics`."""

import os

from notifications.worker.app import create

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "library.settings")

app = create("library-notifications")
