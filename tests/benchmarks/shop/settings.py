"""The shop's own settings, and the peer's address beside them. BENCH_EVENTS=0: no events."""

from orders_site.settings import *  # noqa: F403
from orders_site.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.benchmarks.shop.apps.BenchShopConfig"]
ROOT_URLCONF = "tests.benchmarks.shop.urls"
