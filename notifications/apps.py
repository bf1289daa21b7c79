"""The Django app: finds what the shop declares, once the registry of apps is ready."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = "Events and notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import every app's `events.py`, `consumers.py`, `chores.py` and `audiences.py`, then our
        own consumers and checks."""
        autodiscover_modules("events", "consumers", "chores", "audiences")
        from notifications import checks, digests  # noqa: F401 - checks register themselves
        from notifications.channels import consumers
        from notifications.channels.receipts import consumer as receipts

        consumers.register_configured()
        receipts.register_receipts()
        digests.register_configured()
