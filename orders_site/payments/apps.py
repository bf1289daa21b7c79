from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "orders_site.payments"
