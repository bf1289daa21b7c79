"""The check of the database server finds what would break a promise of ours."""

from __future__ import annotations

import pytest
from django.db import connection

from notifications import checks

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("read committed", []),
        ("repeatable read", ["notifications.E096"]),
        ("serializable", ["notifications.E096"]),
    ],
)
def test_a_server_that_isolates_too_much_is_found(level: str, expected: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('default_transaction_isolation', %s, true)", [level])

    assert [message.id for message in checks.check_server(databases=["default"])] == expected
