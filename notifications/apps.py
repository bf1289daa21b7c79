"""The Django app: finds what the shop declares, once the registry of apps is ready."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = _("Events and notifications")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Import every app's `events.py`, `consumers.py`, `chores.py` and `audiences.py`, then our
        own consumers and checks."""
        autodiscover_modules("events", "consumers", "chores", "audiences")
        # Checks register themselves.
        from notifications import checks, digests, permissions  # noqa: F401
        from notifications.channels import consumers
        from notifications.channels.receipts import consumer as receipts

        consumers.register_configured()
        receipts.register_receipts()
        digests.register_configured()
        post_migrate.connect(permissions.furnish, sender=self)
