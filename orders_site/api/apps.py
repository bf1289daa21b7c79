from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ApiConfig(AppConfig):
    name = "orders_site.api"
    verbose_name = _("Order API")
