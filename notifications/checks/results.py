"""Where failed tasks are kept (`notifications.worker.results`). Before a message is given up its
failure is kept; where that cannot be, it comes again for ever."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.core.checks import CheckMessage, Error


def check_results() -> Iterator[CheckMessage]:
    """django-celery-results is installed."""
    if not apps.is_installed("django_celery_results"):
        yield Error(
            "django_celery_results is not installed: no message that fails could be given up.",
            hint='Add "django_celery_results" to INSTALLED_APPS, and migrate.',
            id="notifications.E098",
        )
