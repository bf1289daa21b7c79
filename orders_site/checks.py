"""What the shop cannot run without, said at start-up with the mend.

The database and the NOTIFICATIONS setting are looked after by `notifications.checks`.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.database)
def something_is_configured(**_: Any) -> list[CheckMessage]:
    """The one cause of the several errors that a forgotten environment makes."""
    if os.environ.get("DATABASE_URL") or os.environ.get("DJANGO_SECRET_KEY"):
        return []
    return [
        Error(
            "Nothing is configured, and no `make local` runs in this checkout.",
            hint="Run `make local` in another terminal, or set DATABASE_URL, DJANGO_SECRET_KEY, "
            "ADDRESS_HASH_KEY and ENCRYPTION_KEY (the README lists all variables).",
            id="shop.E002",
        )
    ]


@register(Tags.security)
def secret_key_is_set(**_: Any) -> list[CheckMessage]:
    """Django would say so too, but with a stack trace and at the first form."""
    if os.environ.get("DJANGO_SECRET_KEY"):
        return []
    return [
        Error(
            "DJANGO_SECRET_KEY is not set: sessions and forms cannot be signed.",
            hint="Run `manage.py local`, which makes one, or set what "
            "`python -c 'import secrets; print(secrets.token_urlsafe(50))'` prints.",
            id="shop.E001",
        )
    ]


@register()
def payment_provider_is_set(**_: Any) -> list[CheckMessage]:
    """Without it every order would become a dead letter of `payments`."""
    if not (os.environ.get("DATABASE_URL") or os.environ.get("DJANGO_SECRET_KEY")):
        return []  # E002 says it all
    missing = [
        variable
        for variable, option in (("PAYMENT_ENDPOINT", "endpoint"), ("PAYMENT_API_KEY", "api_key"))
        if not settings.PAYMENTS[option]
    ]
    if missing:
        wrong = f"{' and '.join(missing)}: not set, so no order can be charged."
    elif not _is_safe(settings.PAYMENTS["endpoint"]):
        wrong = "PAYMENT_ENDPOINT is no https:// address: the API key would be sent in clear."
    else:
        return []
    return [
        Error(
            wrong,
            hint="Run `make local`, whose provider sandbox plays one, or set both to what your "
            "payment provider gave you.",
            id="shop.E003",
        )
    ]


def _is_safe(endpoint: str) -> bool:
    """By TLS, or on this very machine, where the sandbox is."""
    parts = urlsplit(endpoint)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    return bool(parts.hostname) and (parts.scheme == "https" or (local and parts.scheme == "http"))
