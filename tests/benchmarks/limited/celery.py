"""`celery -A tests.benchmarks.limited worker -Q email,sms`, with the settings of the shop's worker.

BENCH_EMAIL_LIMIT and BENCH_SMS_LIMIT are the accounts' limits, in Celery's words.
"""

import os

from notifications.worker.app import create

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.limited.settings")

app = create("benchmarks", config="celeryconfig", set_as_current=True)
app.conf.task_annotations = {
    "notifications.email": {"rate_limit": os.environ["BENCH_EMAIL_LIMIT"]},
    "notifications.sms": {"rate_limit": os.environ["BENCH_SMS_LIMIT"]},
}
