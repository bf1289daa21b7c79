"""The shop as it runs, with one app more."""

from orders_site import settings as shop
from orders_site.settings import *  # noqa: F403

INSTALLED_APPS = [*shop.INSTALLED_APPS, "tests.loyalty"]
