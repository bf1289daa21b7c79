"""What the API answers while the database is away: that it is worth coming back."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from notifications.outages import DATABASE_AWAY, leave_replica
from orders_site.api import errors
from orders_site.api.exceptions import Problem

RETRY_AFTER = 5
"""Seconds. A restart of PostgreSQL takes as long, a failover a minute."""
MESSAGE = "The shop is out of order for a moment. Repeat this with the same Idempotency-Key."

logger = logging.getLogger(__name__)


def install(api: NinjaAPI) -> None:
    for kind in DATABASE_AWAY:
        api.add_exception_handler(kind, unavailable)


def unavailable(_request: HttpRequest, error: Exception) -> HttpResponse:
    """503, and the log has the error. If the server only reads, the next request finds the one that
    writes. What was committed and not answered is found by its Idempotency-Key."""
    logger.error("The database did not do what a request asked for", exc_info=error)
    leave_replica(error)
    headers = {"Retry-After": str(RETRY_AFTER)}
    return errors.respond(Problem(503, "unavailable", MESSAGE, headers=headers))
