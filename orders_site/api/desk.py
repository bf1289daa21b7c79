"""The desk: what operators do about API clients, each with its entry in the audit.

`orders_site.api.clients` knows nothing of notifications, whose audit it is: pages and commands
come through here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction

from notifications import audit
from notifications.redaction import redact
from orders_site.api import clients
from orders_site.api.models import DEFAULT_RATE, ApiClient


def make_client(
    *, name: str, rate_per_minute: int = DEFAULT_RATE, may_announce: bool = False, by: str
) -> tuple[ApiClient, str]:
    """The client and its token, which nobody can read again. Raises ClientRefused."""
    with transaction.atomic():
        client, token = clients.make_client(
            name=name, rate_per_minute=rate_per_minute, may_announce=may_announce, by=by
        )
        made = {"name": name, "rate_per_minute": rate_per_minute, "may_announce": may_announce}
        audit.record("api_client.create", by=by, target=client, after=made)
    return client, token


def rotate_token(*, name: str, by: str, overlap: timedelta = clients.OVERLAP) -> str:
    """A new token, beside the old one for a while. Raises ClientRefused."""
    with transaction.atomic():
        token = clients.rotate_token(name=name, overlap=overlap)
        hours = {"hours_of_both": overlap.total_seconds() / 3600}
        _audit("rotate", name, by=by, after=hours)
    return token


def end_old_token(*, name: str, by: str) -> None:
    """The new token alone is good. Raises ClientRefused."""
    with transaction.atomic():
        clients.end_old_token(name=name)
        _audit("end_old", name, by=by)


def revoke_client(*, name: str, by: str, reason: str) -> None:
    """End its token for good. Raises ClientRefused."""
    with transaction.atomic():
        clients.revoke_client(name=name, by=by, reason=redact(reason))
        states = {"before": {"state": "active"}, "after": {"state": "revoked"}}
        _audit("revoke", name, by=by, reason=reason, **states)


def allow_announcing(*, name: str, allowed: bool, by: str, reason: str) -> None:
    """Whether it may announce from now on. Raises ClientRefused."""
    with transaction.atomic():
        clients.allow_announcing(name=name, allowed=allowed, by=by, reason=redact(reason))
        states = {"before": {"may_announce": not allowed}, "after": {"may_announce": allowed}}
        _audit("allow" if allowed else "forbid", name, by=by, reason=reason, **states)


def _audit(verb: str, name: str, **about: Any) -> None:
    audit.record(f"api_client.{verb}", target=ApiClient.objects.get(name=name), **about)
