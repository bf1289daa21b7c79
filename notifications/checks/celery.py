"""The settings of Celery: those that the worker needs, and those that would bring a trap back."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error

from notifications.conf import conf
from notifications.worker.celery_settings import problems_of_module


def check_celery() -> Iterator[CheckMessage]:
    """The same list refuses to make the worker's app (`notifications.worker.app.create`)."""
    path = conf().celery
    if not path:
        return
    try:
        found = [
            (str(problem), f"Leave {problem.setting} out of {path}, or give {problem.needed}.")
            for problem in problems_of_module(path)
        ]
    except ImportError as error:
        found = [
            (
                f'NOTIFICATIONS["CELERY"] is {path!r}, which cannot be imported: {error}',
                "Give the dotted path of the module of Celery settings, or leave it out.",
            )
        ]
    for said, hint in found:
        yield Error(said, hint=hint, id="notifications.E073")
