"""The tables of a test database are emptied, whatever a killed process has left behind."""

from __future__ import annotations

import psycopg
import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection

from notifications.models import RateLimit
from tests.quick_flush.management.commands import flush
from tests.shop import an_order

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_a_killed_process_began_is_not_committed_after_it() -> None:
    parameters = connection.get_connection_params()
    named = {name: parameters[name] for name in ("host", "port", "user", "password", "dbname")}
    with psycopg.connect(**named, application_name="shop worker") as left:
        left.execute("INSERT INTO django_session VALUES ('theirs', '', now())")
        call_command("flush", interactive=False)
        with pytest.raises(psycopg.OperationalError):
            left.commit()
    assert not Session.objects.exists()


@pytest.mark.parametrize("grown", [0, flush.GROWN])
def test_tables_are_emptied_whether_they_have_grown_or_not(
    monkeypatch: pytest.MonkeyPatch, grown: int
) -> None:
    monkeypatch.setattr(flush, "GROWN", grown)
    order = an_order()
    RateLimit.objects.create(account="email", declared=5)
    call_command("flush", interactive=False)
    assert not type(order).objects.exists()
    assert not RateLimit.objects.exists()
