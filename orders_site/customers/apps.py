from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "orders_site.customers"
