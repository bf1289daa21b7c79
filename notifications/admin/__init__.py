"""The operators' pages: what is known about every event, delivery, dispatch and failure.

No row is edited: they are facts, written by those who witness them. What an operator may do about
one is a button on its page, a POST with a permission and a reason (`notifications.admin.moves`).
No page counts a table, and every list, filter and search runs on an index.
"""

from __future__ import annotations

from django.apps import apps

from notifications.admin import (
    announcements,
    breakers,
    dead_letters,
    deliveries,
    dispatches,
    events,
    handled,
    jobs,
    pauses,
    preferences,
    rate_limits,
    receipts,
    suppressions,
    templates,
    webhooks,
    workers,
)

if apps.is_installed("django_celery_results"):
    from notifications.admin import failed_tasks  # noqa: F401 - registers itself

__all__ = [
    "announcements",
    "breakers",
    "dead_letters",
    "deliveries",
    "dispatches",
    "events",
    "handled",
    "jobs",
    "pauses",
    "preferences",
    "rate_limits",
    "receipts",
    "suppressions",
    "templates",
    "webhooks",
    "workers",
]
