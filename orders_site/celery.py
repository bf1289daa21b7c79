"""The worker process: `celery -A orders_site worker -Q email,sms`."""

import os

from django.conf import settings

from notifications.worker.app import create

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orders_site.settings")
settings.DEBUG  # noqa: B018 - read before celeryconfig.py: they fill gaps of its environment

app = create("orders_site", config="celeryconfig", set_as_current=True)
