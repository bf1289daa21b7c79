"""PostgreSQL says with which row a statement failed: that is kept by nobody."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from notifications.redaction import redact, redact_lines

TABLE = """
CREATE TEMP TABLE refused_row (
    name text CHECK (name NOT LIKE 'Ann%'), token text UNIQUE, email text NOT NULL DEFAULT ''
)
"""


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "token", "kept"),
    [
        ("Ann (née Jones).\nSmith", "a", "DETAIL:  Failing row contains (…)"),
        ("Ben", "fMx3:APA91b (x)", "DETAIL:  Key (token)=(…) already exists."),
    ],
)
def test_of_a_row_that_postgresql_refuses_nothing_is_told(name: str, token: str, kept: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
        cursor.execute("INSERT INTO refused_row VALUES ('Ben', 'fMx3:APA91b (x)')")
        with pytest.raises(IntegrityError) as refused, transaction.atomic():
            cursor.execute("INSERT INTO refused_row VALUES (%s, %s)", [name, token])

    traceback = f"{refused.value}\n\nThe above exception was the direct cause of this one"
    told = redact_lines(traceback)
    assert told == redact(traceback)
    assert told.splitlines()[1:] == [kept, *traceback.splitlines()[-2:]]


def test_a_row_that_is_cut_off_is_told_no_more() -> None:
    said = "DETAIL:  Failing row contains (42, Ann, Sm"
    assert redact(said) == "DETAIL:  Failing row contains (…)"
