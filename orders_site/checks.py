"""What the shop cannot run without, said at start-up with the mend.

The database and the NOTIFICATIONS setting are looked after by `notifications.checks`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.http.request import validate_host

from notifications.checks import MESSAGING, SETTINGS
from orders_site.environment.problems import problems
from orders_site.environment.slips import slips
from orders_site.environment.table import BY_NAME

PUBLIC = "orders_site.public_urls"


@register(Tags.database)
def something_is_configured(**_: Any) -> list[CheckMessage]:
    """The one cause of the several errors that a forgotten environment makes."""
    if os.environ.get("DATABASE_URL") or os.environ.get("DJANGO_SECRET_KEY"):
        return []
    return [
        Error(
            "Nothing is configured, and no `make local` runs in this checkout.",
            hint="Run `make local` in another terminal, or set DATABASE_URL, DJANGO_SECRET_KEY, "
            "ADDRESS_HASH_KEY and ENCRYPTION_KEY (docs/settings.md lists all variables).",
            id="shop.E002",
        )
    ]


@register(MESSAGING, SETTINGS)
def environment_is_readable(**_: Any) -> list[CheckMessage]:
    """Settings take the default in place of what cannot be read: nothing may start with that."""
    return [
        Error(
            problem,
            hint="`manage.py environment` shows what is set, docs/settings.md what each may hold.",
            id="shop.E005",
        )
        for problem in problems(os.environ)
    ]


@register(MESSAGING)
def environment_has_no_slips(**_: Any) -> list[CheckMessage]:
    """A limit that is set under another name is no limit."""
    return [
        Warning(
            f"{name} is set in the environment, and nobody reads it.",
            hint=f"Did you mean {nearest}? docs/settings.md lists all variables.",
            id="shop.W006",
        )
        for name, nearest in slips(os.environ)
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
    names = ("PAYMENT_ENDPOINT", "PAYMENT_API_KEY")
    missing = [name for name in names if not BY_NAME[name].is_set(os.environ)]
    if not missing:
        return []
    return [
        Error(
            f"{' and '.join(missing)}: not set, so no order can be charged.",
            hint="Run `make local`, whose provider sandbox plays one, or set both to what your "
            "payment provider gave you.",
            id="shop.E003",
        )
    ]


@register()
def static_files_are_there(**_: Any) -> list[CheckMessage]:
    """The pages would come without their looks. A worker of the same environment needs none."""
    root = settings.STATIC_ROOT
    if not root or any(Path(root).glob("*")):
        return []
    return [
        Warning(
            f"DJANGO_STATIC_ROOT is {str(root)!r}, where there is nothing: pages would have no "
            "styles and scripts.",
            hint="Run `manage.py collectstatic`, or leave it out.",
            id="shop.W007",
        )
    ]


@register(Tags.security, deploy=True)
def visitors_are_told_apart(**_: Any) -> list[CheckMessage]:
    """Behind a proxy, unless it is trusted, wrong passwords of all the world count against the one
    address that it has."""
    trusted = settings.NOTIFICATIONS.get("TRUSTED_PROXIES")
    if trusted or not getattr(settings, "SECURE_PROXY_SSL_HEADER", None):
        return []
    return [
        Warning(
            "DJANGO_PROXY_SSL_HEADER is set and DJANGO_TRUSTED_PROXIES is not: thirty wrong "
            "passwords from anywhere shut everybody out.",
            hint="Set DJANGO_TRUSTED_PROXIES to how many proxies of yours add to X-Forwarded-For.",
            id="shop.W004",
        )
    ]


@register()
def the_public_address_is_answered(**_: Any) -> list[CheckMessage]:
    """A web process that serves the public pages alone is there for PUBLIC_URL."""
    url = settings.NOTIFICATIONS["PUBLIC_URL"]
    host = urlsplit(url).hostname or ""
    if settings.ROOT_URLCONF != PUBLIC or validate_host(host, settings.ALLOWED_HOSTS):
        return []
    return [
        Warning(
            f"WEB_CONSOLE=0 makes this web process the public one, and PUBLIC_URL is {url}, whose "
            "host it refuses: nobody could unsubscribe, and no provider call.",
            hint=f"Add {host} to DJANGO_ALLOWED_HOSTS, or set PUBLIC_URL to where customers reach "
            "this process. For the console's process WEB_CONSOLE is 1.",
            id="shop.W008",
        )
    ]
