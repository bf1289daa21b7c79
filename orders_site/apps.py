"""The shop as a Django app: its signals are heard from the moment Django is ready."""

from django.apps import AppConfig


class OrdersSiteConfig(AppConfig):
    name = "orders_site"

    def ready(self) -> None:
        from orders_site import checks, receivers  # noqa: F401 - they register themselves
