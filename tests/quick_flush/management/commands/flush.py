"""`flush` as the tests need it after each that commits: only the tables that hold something.

Django truncates all of them, and makes content types and permissions anew: with sixty tables that
takes 0.4 s. Truncating gives a table and each of its indexes a new file and has every session plan
anew, so only what has grown is truncated, and a few rows are deleted.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS, connections, transaction

KEPT = frozenset(
    {
        *("django_migrations", "django_content_type", "auth_permission"),
        *("auth_group", "auth_group_permissions"),  # those that migrations make
    }
)
GROWN = 500_000
"""Bytes, dead rows among them."""
END_OF_THE_KILLED = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database()
  AND application_name LIKE 'shop %' AND application_name <> current_setting('application_name')
"""
"""A process that a test killed has left statements that PostgreSQL may be at still, and they would
commit after this."""


class Command(BaseCommand):
    help = "Empty the tables of a test database."
    stealth_options = (
        *("database", "interactive", "reset_sequences", "allow_cascade", "inhibit_post_migrate"),
    )

    def handle(self, *, database: str = DEFAULT_DB_ALIAS, **_: Any) -> None:
        connection = connections[database]
        names = connection.introspection.django_table_names(only_existing=True, include_views=False)
        quoted = [connection.ops.quote_name(name) for name in names if name not in KEPT]
        looks = (
            f"SELECT '{table}', pg_relation_size('{table}') WHERE EXISTS (SELECT FROM {table})"  # noqa: S608
            for table in quoted
        )
        with transaction.atomic(using=database), connection.cursor() as cursor:
            cursor.execute(END_OF_THE_KILLED)
            cursor.execute(" UNION ALL ".join(looks))
            filled = cursor.fetchall()
            if filled:
                cursor.execute("SET LOCAL session_replication_role = replica")  # audit: append-only
                cursor.execute("; ".join(_emptied(table, size) for table, size in filled))


def _emptied(table: str, size: int) -> str:
    return f"TRUNCATE {table} CASCADE" if size > GROWN else f"DELETE FROM {table}"  # noqa: S608
