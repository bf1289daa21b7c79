"""Stock for the sample catalogue: plenty of everything, and barely enough of some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orders_site.inventory.models import StockItem
from orders_site.orders.models import Product

THRESHOLD = 20_000
PLENTY, BARELY = 100_000, THRESHOLD + 3
"""On hand: for hundreds of thousands of orders; and so that some hundred bring it below."""

RUNS_LOW = ("TEA-SMOKE", "SOAP-TAR", "PIN-ANCHOR")


def stock_up(catalogue: Mapping[str, Iterable[Product]]) -> None:
    """Put on the shelves what `Samples.catalogue` offers, where it is not there yet."""
    StockItem.objects.bulk_create(
        (
            StockItem(
                product=product,
                on_hand=BARELY if product.sku.startswith(RUNS_LOW) else PLENTY,
                reorder_threshold=THRESHOLD,
            )
            for offer in catalogue.values()
            for product in offer
        ),
        ignore_conflicts=True,
    )
