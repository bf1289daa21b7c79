import os

from django.apps import AppConfig


class BenchShopConfig(AppConfig):
    """Without events, nobody listens to the shop's signals."""

    name = "tests.benchmarks.shop"
    label = "bench_shop"

    def ready(self) -> None:
        from orders_site.orders.signals import order_created

        if os.environ.get("BENCH_EVENTS") == "0":
            assert order_created.disconnect(dispatch_uid="record order.created")
