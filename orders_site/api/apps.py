from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "orders_site.api"
    verbose_name = "Order API"
