"""What the database raises while it is away is told from what is a fault of who asked it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.utils import Error

from notifications.outages import DATABASE_AWAY, is_away

pytestmark = pytest.mark.django_db


def read_only() -> None:
    """As a server that has become a replica."""
    ask("SET LOCAL transaction_read_only = on")
    ask("CREATE TABLE here (id int)")


def too_slow() -> None:
    ask("SET LOCAL statement_timeout = 1")
    ask("SELECT pg_sleep(1)")


def go_on_in_what_has_failed() -> None:
    with suppress(DatabaseError):
        ask("SELECT 1 / 0")
    ask("SELECT 1")


def index_what_is_too_long() -> None:
    ask("CREATE TEMPORARY TABLE here (word text PRIMARY KEY)")
    ask("INSERT INTO here SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) n")


def ask(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("trouble", "away"),
    [
        (read_only, True),
        (too_slow, True),
        (go_on_in_what_has_failed, False),
        (index_what_is_too_long, False),
    ],
)
def test_a_fault_of_who_asks_is_no_outage(trouble: Callable[[], None], away: bool) -> None:
    with pytest.raises(Error) as caught, transaction.atomic():
        trouble()
    assert isinstance(caught.value, DATABASE_AWAY)
    assert is_away(caught.value) is away


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_gone_is_an_outage() -> None:
    ask("SELECT 1")
    connection.connection.close()
    with pytest.raises(Error) as caught:
        ask("SELECT 1")
    connection.close()
    assert is_away(caught.value)
