"""Where failed tasks are kept: django-celery-results, with nothing but failures in it."""

from __future__ import annotations

import logging
from typing import Any

from django.db import Error
from django_celery_results.backends.database import DatabaseBackend

logger = logging.getLogger(__name__)


class FailedTasks(DatabaseBackend):
    """Named by the `result_backend` setting.

    A retry leaves no row: it would stay after the success, which leaves none. A failure that
    cannot be stored is logged, and must not keep its message from the dead letters.
    """

    def mark_as_retry(self, *args: Any, **kwargs: Any) -> None:
        pass

    def mark_as_failure(self, task_id: str, exc: BaseException, *args: Any, **kwargs: Any) -> None:
        try:
            super().mark_as_failure(task_id, exc, *args, **kwargs)
        except Error as error:
            logger.error("The failure of task %s could not be stored: %s", task_id, error)
