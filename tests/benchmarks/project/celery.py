"""`celery -A tests.benchmarks.project worker -Q empty`, with the settings of the shop's worker."""

import os

from notifications.worker.app import create

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.project.settings")

app = create("benchmarks", config="celeryconfig", set_as_current=True)
