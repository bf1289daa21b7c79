"""Where failed tasks are kept: django-celery-results, with nothing but failures in it."""

from __future__ import annotations

import logging
from typing import Any

from django.db import Error
from django_celery_results.backends.database import DatabaseBackend

from notifications.redaction import redact, redact_lines

logger = logging.getLogger(__name__)


class FailedTasks(DatabaseBackend):
    """Named by the `result_backend` setting.

    A retry leaves no row: it would stay after the success, which leaves none. A failure that
    cannot be stored is logged, and must not keep its message from the dead letters.
    """

    def mark_as_retry(self, *args: Any, **kwargs: Any) -> None:
        pass

    def mark_as_failure(
        self, task_id: str, exc: Any, traceback: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """The error and its traceback, without addresses."""
        clean = redact_lines(traceback) if traceback else traceback
        try:
            super().mark_as_failure(task_id, exc, clean, *args, **kwargs)
        except Error as error:
            logger.error(
                "The failure of task %s could not be stored: %s", task_id, type(error).__name__
            )

    def prepare_exception(self, exc: Any, serializer: str | None = None) -> Any:
        prepared = super().prepare_exception(exc, serializer)
        if isinstance(prepared, dict):
            prepared["exc_message"] = [
                redact(part) if isinstance(part, str) else part for part in prepared["exc_message"]
            ]
        return prepared
