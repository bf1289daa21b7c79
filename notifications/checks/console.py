"""The admin: with the console in it, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

MEND = (
    'Put "notifications.console.apps.ConsoleConfig" into INSTALLED_APPS in place of '
    '"django.contrib.admin"; a site of your own inherits from '
    "notifications.console.site.ConsoleSite."
)
HEADERS = "notifications.console.headers.HeadersMiddleware"


def check_console() -> Iterator[CheckMessage]:
    """Without it the pages of the console are nowhere, logins are not throttled, and what is done
    on a page does not say so in the audit."""
    if not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.sites import all_sites

    from notifications.console.site import ConsoleSite

    if HEADERS not in settings.MIDDLEWARE:
        yield Warning(
            "The console is served without its Content-Security-Policy.",
            hint=f'Put "{HEADERS}" into MIDDLEWARE, after Django\'s SecurityMiddleware.',
            id="notifications.W064",
        )
    for site in all_sites:
        ours = any(model._meta.app_label == "notifications" for model in site._registry)
        if ours and not isinstance(site, ConsoleSite):
            kind = type(site)
            yield Error(
                "The admin is used without the console: the site "
                f"{site.name!r} is a {kind.__module__}.{kind.__qualname__}.",
                hint=MEND,
                id="notifications.E058",
            )
