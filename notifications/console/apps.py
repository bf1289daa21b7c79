"""What stands in INSTALLED_APPS in place of `django.contrib.admin`."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    """Django's admin, with the operator's console in it."""

    default_site = "notifications.console.site.ConsoleSite"

    def ready(self) -> None:
        super().ready()
        from notifications import audit_signals  # noqa: F401 - they register themselves
