"""What PostgreSQL tells of itself: connections, and how large each table is for what it holds."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from tests.soak.kinds import Kind

LARGE = 1024 * 1024
"""Bytes with indexes, below which a size for each row says nothing: pages are whole."""
SCALE, THRESHOLD = 0.2, 50
"""PostgreSQL's own autovacuum_vacuum_scale_factor and …_threshold: it comes when more is dead."""

_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
"""
_TABLES = """
SELECT relname, n_live_tup, n_dead_tup, pg_total_relation_size(relid) FROM pg_stat_user_tables
"""


def figures() -> Iterator[tuple[Kind, str, float]]:
    """(kind, of which table, value). Of a table that is small, nothing."""
    with connection.cursor() as cursor:
        cursor.execute(_CONNECTIONS)
        yield Kind.CONNECTIONS, "all", float(cursor.fetchone()[0])
        cursor.execute(_TABLES)
        for table, live, dead, size in cursor.fetchall():
            if size >= LARGE and live:
                yield Kind.SIZE, table, size / live
                yield Kind.DEAD, table, dead / (THRESHOLD + SCALE * live)
