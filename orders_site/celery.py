"""The worker process: `celery -A orders_site worker -Q email,sms`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orders_site.settings")

app = Celery("orders_site")
app.config_from_object("celeryconfig")
app.autodiscover_tasks(related_name="consumers")
