"""`celery -A tests.benchmarks.mailer worker -Q email`, with the settings of the shop's worker.

BENCH_RATE_LIMIT is the email account's limit, in Celery's words; empty is none.
"""

import os

from notifications.worker.app import create

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.mailer.settings")

app = create("benchmarks", config="celeryconfig", set_as_current=True)
app.conf.task_annotations = {
    "notifications.email": {"rate_limit": os.environ.get("BENCH_RATE_LIMIT") or None}
}
