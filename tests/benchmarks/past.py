"""`python -m tests.benchmarks.past N`: the tables of a shop that has told people N times.

The rows are made by PostgreSQL, each from its number. Prints, as JSON, what an operator looks for.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import django
from django.db import connection
from django.db.models import NOT_PROVIDED, Model

OPERATOR = "ada"
EMAIL = "ada@example.org"
DAYS = 90
EACH = 24
"""Deliveries of one person."""
YOUNG = 50
"""One delivery in so many is young enough that its words are still kept."""
RECENT = 1_000
"""Deliveries that are under way, or just were: as many, however long the shop has been there."""
STATES = {
    "delivered": 700,
    "sent": 265,
    "skipped": 17,
    "failed": 9,
    "bounced": 7,
    "discarded": 2,
}
"""Of 1,000. Nobody has complained: that filter finds nothing."""
STATES_OF_RECENT = {
    "delivered": 600,
    "sent": 200,
    "retrying": 80,
    "pending": 60,
    "sending": 30,
    "failed": 20,
    "unknown": 10,
}

# Two deliveries for an event, one by e-mail; three events for an order. Every number below is the
# row's, from 0, but for deliveries it is `n`, for events `e`.
_EVENT = {
    "id": "('01900001-0000-7000-8000-' || lpad(to_hex(e), 12, '0'))::uuid",
    "type": "(ARRAY['order.created', 'payment.completed', 'order.shipped'])[1 + e % 3]",
    "subject": "'order/' || e / 3",
    "at": "begin + 2 * e * step",
}
_SECOND = "(ARRAY['sms', 'push', 'whatsapp'])[1 + e / 3 % 3]"
"""The event's other channel."""
_DELIVERY = {
    "id": "('01900002-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid",
    "event_id": _EVENT["id"],
    "event_type": _EVENT["type"],
    "subject": _EVENT["subject"],
    "event_time": _EVENT["at"],
    "channel": f"CASE n % 2 WHEN 0 THEN 'email' ELSE {_SECOND} END",
    "route": "'customer'",
    "recipient": "'customer/' || person",
    "address": "address",
    "address_hash": "CASE person WHEN 7 THEN hash ELSE '1:' || md5(person::text) || md5('x') END",
    "state": "state",
    "reason": "CASE state WHEN 'skipped' THEN 'opted_out' WHEN 'failed' THEN 'MessageRejected' "
    "ELSE '' END",
    "last_error": "CASE WHEN state IN ('failed', 'retrying') "
    "THEN '554 Message rejected: the address is not verified' ELSE '' END",
    "attempts": "CASE WHEN tried THEN 1 + (n % 20 = 0)::int + (n % 40 = 0)::int ELSE 0 END",
    "locale": "'en'",
    "template_version": "'4f1c0b7d9e'",
    "provider": "CASE WHEN tried THEN 'ses' END",
    "provider_message_id": "CASE WHEN tried THEN '0102019' || md5(n::text) ELSE '' END",
    "created_at": "at",
    "started_at": "at",
    "updated_at": "at",
    "finished_at": "at",
    "sent_at": "CASE WHEN state IN ('sent', 'delivered', 'bounced') THEN at END",
    "next_try_at": "CASE state WHEN 'retrying' THEN at + interval '100 days' END",
}
_ABOUT = {"delivery_id": "id", "subject": "subject"}
"""What stands on the rows about a delivery, of its row."""


def make(number: int) -> Mapping[str, str]:
    """`number` deliveries and all about them, in tables that are empty; what to search for."""
    from django.contrib.auth.models import User

    from notifications import objectives, progress, throughput
    from notifications.channels.base import Content
    from notifications.models import (
        Attempt,
        Delivery,
        Dispatch,
        Event,
        Handled,
        Receipt,
        RenderedContent,
    )
    from notifications.recipients import address_hash
    from notifications.rendered import packed
    from notifications.sealed import seal

    User.objects.create_superuser(OPERATOR)
    events = f"generate_series(0, {number // 2 - 1}) AS e, ({_clock(number)}) AS clock"
    deliveries = f"""(
        SELECT n, e, person, state, begin + n * step AS at,
            state NOT IN ('skipped', 'pending') AS tried,
            '{seal(EMAIL)}' AS address, '{address_hash(EMAIL)}' AS hash, begin, step
        FROM generate_series(0, {number - 1}) AS n, ({_clock(number)}) AS clock,
            LATERAL (SELECT n / 2 AS e, n % {max(8, number // EACH)} AS person,
                (hashint4(n) & 1048575) % 1000 AS lot) AS drawn,
            LATERAL (SELECT CASE WHEN n < {number - RECENT} THEN {_drawn(STATES, "lot")}
                ELSE {_drawn(STATES_OF_RECENT, "lot")} END AS state) AS stated
    ) AS row"""  # noqa: S608 - all of it ours
    words = packed(Content(subject="Your order", text="Dear Ada,\nthank you for it.\n" * 20))
    told = "notifications_delivery"
    with _filled(Event, Handled, Delivery, Attempt, Receipt, Dispatch, RenderedContent):
        _insert(
            Event,
            events,
            {
                "id": _EVENT["id"],
                "type": _EVENT["type"],
                "subject": _EVENT["subject"],
                "time": _EVENT["at"],
                "recorded_at": _EVENT["at"],
                "source": "'urn:shop'",
                "data": """jsonb_build_object('order_id', e / 3)""",
                "expected": f"ARRAY['email', {_SECOND}, 'analytics']",
            },
        )
        _insert(
            Handled,
            events,
            {
                "consumer": "'analytics'",
                "event_id": _EVENT["id"],
                "event_type": _EVENT["type"],
                "event_time": _EVENT["at"],
                "subject": _EVENT["subject"],
                "outcome": "'done'",
                "attempts": "1",
                "received_at": _EVENT["at"],
                "done_at": _EVENT["at"],
            },
        )
        _insert(
            Dispatch,
            events,
            {
                "event_id": _EVENT["id"],
                "subject": _EVENT["subject"],
                "kind": "'topic'",
                "destination": "'order-events'",
                "state": "'published'",
                "created_at": _EVENT["at"],
                "available_at": _EVENT["at"],
                "published_at": _EVENT["at"],
            },
        )
        _insert(Delivery, deliveries, _DELIVERY)
        _insert(
            Attempt,
            f"{told}, generate_series(1, attempts) AS m",
            {
                **_ABOUT,
                "number": "m",
                "token": "event_id",
                "outcome": "CASE m WHEN attempts THEN 'sent' ELSE 'transient' END",
                "provider": "'ses'",
                "provider_message_id": "provider_message_id",
                "worker": "'worker-1@host'",
                "started_at": "created_at",
                "finished_at": "created_at",
                "duration_ms": "84",
            },
        )
        _insert(
            Receipt,
            f"{told} WHERE state = 'delivered'",
            {
                **_ABOUT,
                "id": "id",
                "number": "attempts",
                "provider": "'ses'",
                "kind": "'delivered'",
                "occurred_at": "created_at",
                "received_at": "created_at",
                "moved_to": "'delivered'",
            },
        )
        _insert(
            RenderedContent,
            f"{told} WHERE created_at > now() - interval '{DAYS * 24 // YOUNG} hours' "
            "AND sent_at IS NOT NULL",
            {"delivery_id": "id", "generation": "0", "content": f"'{words}'"},
        )
    # What the relays have done meanwhile, minute by minute.
    for measure in (throughput, objectives):
        while measure.roll_up(using="default", go_on=lambda: True):
            pass
    progress.oldest(progress.known(), go_on=lambda: True)  # their first rounds, to the end
    mails = Delivery.objects.filter(state="delivered", channel="email")  # one channel at each size
    row = mails.order_by("-created_at")[number // 8]
    return {
        "delivery": str(row.pk),
        "order": row.subject,
        "provider_id": row.provider_message_id,
        "address": EMAIL,
    }


def _clock(number: int) -> str:
    """When it began, and how long after one delivery the next was made."""
    step = timedelta(days=DAYS).total_seconds() / number
    return f"SELECT now() - interval '{DAYS} days' AS begin, interval '{step:.6f} seconds' AS step"


def _drawn(shares: Mapping[str, int], number: str) -> str:
    """The name whose share of 1,000 the number falls into."""
    above, cases = 0, []
    for name, share in shares.items():
        above += share
        cases.append(f"WHEN {number} < {above} THEN '{name}'")
    return f"CASE {' '.join(cases)} END"


def _insert(model: type[Model], source: str, given: Mapping[str, str]) -> None:
    """A row for each of `source`; what is not given is as the ORM would have it."""
    values, parameters = dict(given), []
    for field in model._meta.local_concrete_fields:
        known = field.column in given or field.primary_key or field.db_default is not NOT_PROVIDED
        if not known and not field.null:
            values[field.column] = "%s"
            parameters.append(field.get_db_prep_save(field.get_default(), connection))
    columns = ", ".join(f'"{name}"' for name in values)
    chosen = ", ".join(each if each == "%s" else _modulo(each) for each in values.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model._meta.db_table} ({columns}) "  # noqa: S608 - all of it ours
            f"SELECT {chosen} FROM {_modulo(source)}",
            parameters,
        )


def _modulo(expression: str) -> str:
    """With its "%" doubled: a single one is the driver's."""
    return expression.replace("%", "%%")


@contextmanager
def _filled(*models: type[Model]) -> Iterator[None]:
    """Their secondary indexes are made after the rows, at once; then the planner knows them."""
    tables = [model._meta.db_table for model in models]
    with connection.cursor() as cursor:
        # Foreign keys hold by construction: looking each one up would take most of the time.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(
            "SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE i.tablename = ANY(%s) "
            "AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conname = i.indexname)",
            [tables],
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        yield
        for _, definition in indexes:
            cursor.execute(definition)
        for table in tables:
            cursor.execute(f"VACUUM ANALYZE {table}")


if __name__ == "__main__":
    django.setup()
    print(json.dumps(make(int(sys.argv[1]))))
