from django.apps import AppConfig


class InventoryConfig(AppConfig):
    name = "orders_site.inventory"
