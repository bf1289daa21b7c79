"""What the shop cannot run without, said at start-up with the mend.

The database and the NOTIFICATIONS setting are looked after by `notifications.checks`.
"""

from __future__ import annotations

import os
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register


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
