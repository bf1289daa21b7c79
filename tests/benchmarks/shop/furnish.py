"""`python -m tests.benchmarks.shop.furnish`: tables, customers, goods and a client.

Prints the client's token, the customers' ids and the SKUs, as JSON.
"""

from __future__ import annotations

import json

import django

CUSTOMERS = 100


def main() -> None:
    django.setup()
    from django.core.management import call_command

    from orders_site.api.clients import make_client
    from orders_site.api.models import MAX_RATE
    from orders_site.orders.samples import Samples

    call_command("migrate", verbosity=0)
    call_command("provision", verbosity=0)
    samples = Samples()
    customers = samples.customers(CUSTOMERS)
    goods = samples.catalogue()["DE"]
    _, token = make_client(name="bench", rate_per_minute=MAX_RATE)
    found = {
        "token": token,
        "customers": [customer.pk for customer in customers],
        "skus": [product.sku for product in goods],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
