"""The worker process: `celery -A orders_site worker -Q email,sms`."""

import os

from notifications.worker.app import create

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orders_site.settings")

app = create("orders_site", config="celeryconfig", set_as_current=True)
