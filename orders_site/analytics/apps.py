from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    name = "orders_site.analytics"
