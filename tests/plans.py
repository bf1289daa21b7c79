"""How PostgreSQL finds what a statement asks for. The planner goes by statistics, and those of a
test's table are what earlier tests have left: bring many rows, `analyze` them, then look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from notifications.models import Delivery
from orders_site.inventory.models import Reservation
from orders_site.orders.models import Order
from orders_site.payments.models import Payment
from tests.shop import a_customer


def plan_of(sql: str, values: Any = None) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", values)
        return "\n".join(line for (line,) in cursor.fetchall())


def analyze(*models: type[Model]) -> None:
    """True statistics; in a transaction, until its end."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE " + ", ".join(model._meta.db_table for model in models))


def as_with_many_more() -> None:
    """Until the transaction ends, no table is read as a whole where an index can be: those of a
    test are small."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")


def emptied(model: type[Model]) -> None:
    """Until the transaction ends, the table and its indexes are new. What earlier tests rolled back
    is still in the pages, and a look walks through it."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {model._meta.db_table} CASCADE")


def many_deliveries(*, channels: Sequence[str] = ("email",), states: Sequence[str]) -> None:
    """20,000 of order.created, one of each second until now, so that to read the whole table costs
    more than an index. Each has the next of the channels and the next of the states."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO notifications_delivery (id, event_id, event_type, event_time, subject,
                channel, route, recipient, address, address_hash, state, reason, generation,
                attempts, last_error, provider_message_id, created_at, updated_at)
            SELECT gen_random_uuid(), gen_random_uuid(), 'order.created', now(), 'order/' || n,
                (%(channels)s::text[])[1 + n %% cardinality(%(channels)s::text[])], 'customer',
                'customer/' || n %% 5000 || '/device/' || n, '', '1:' || md5(n::text),
                (%(states)s::text[])[1 + n %% cardinality(%(states)s::text[])], '', 0, 1, '',
                md5(n::text), now() - n * interval '1 second', now()
            FROM generate_series(1, 20000) n
            """,
            {"channels": list(channels), "states": list(states)},
        )
    analyze(Delivery)


def many_orders(**values: Any) -> list[Order]:
    """3,000 that were placed, with nothing in them, each paid for and reserved."""
    common = {"customer": a_customer(), "currency": "EUR", "total_minor": 100, **values}
    orders = Order.objects.bulk_create(
        Order(placed_at=timezone.now(), **common) for _ in range(3000)
    )
    Payment.objects.bulk_create(
        Payment(
            order=order,
            state="completed",
            amount_minor=100,
            currency="EUR",
            provider_id=f"of {order}",
        )
        for order in orders
    )
    Reservation.objects.bulk_create(Reservation(order=order, state="reserved") for order in orders)
    analyze(Order, Payment, Reservation)
    return orders
