"""The shop as a Django app: its signals are heard from the moment Django is ready."""

from django.apps import AppConfig

from notifications.names import name_fields
from orders_site import names


class OrdersSiteConfig(AppConfig):
    name = "orders_site"

    def ready(self) -> None:
        # They register themselves.
        from orders_site import checks, permissions, receivers  # noqa: F401

        for app in names.APPS:
            name_fields(app, names.FIELDS)
