"""The operators' pages: what is known about every event, delivery, dispatch and failure.

No row is edited: they are facts, written by those who witness them. What an operator may do about
one is a button on its page, a POST with a permission and a reason (`notifications.admin.moves`).
No page counts a table, and every list, filter and search runs on an index.
"""

from __future__ import annotations

from django.apps import apps

from notifications.console import overview  # isort: skip - the first of the console's pages
from notifications.admin import (
    announcements,
    audit,
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
    scheduled_events,
    suppressions,
    templates,
    webhooks,
    workers,
)
from notifications.console import bulk, control_pages, failures, job_items, timeline

if apps.is_installed("django_celery_results"):
    from notifications.admin import failed_tasks  # noqa: F401 - registers itself

__all__ = [
    "announcements",
    "audit",
    "breakers",
    "bulk",
    "control_pages",
    "dead_letters",
    "deliveries",
    "dispatches",
    "events",
    "failures",
    "handled",
    "job_items",
    "jobs",
    "overview",
    "pauses",
    "preferences",
    "rate_limits",
    "receipts",
    "scheduled_events",
    "suppressions",
    "templates",
    "timeline",
    "webhooks",
    "workers",
]
