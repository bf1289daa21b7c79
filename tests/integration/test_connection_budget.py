"""The connections of the planned fleet are compared with what the server takes."""

from __future__ import annotations

import logging
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from notifications import connection_budget
from notifications.conf import Fleet
from notifications.local.stack import Stack
from orders_site.environment.database import process_name
from tests.integration.outages import database_closed_to

pytestmark = pytest.mark.django_db


@pytest.fixture
def plan(settings: Any) -> Any:
    """`plan(workers=40)`."""

    def plan(**counts: int) -> None:
        settings.NOTIFICATIONS = {**settings.NOTIFICATIONS, "FLEET": Fleet(**counts)}

    return plan


def check() -> str:
    out = StringIO()
    call_command("check", "--tag", "messaging", "--database", "default", stdout=out, stderr=out)
    return out.getvalue()


def test_a_fleet_that_the_server_has_no_connections_for_is_found(plan: Any) -> None:
    plan(web=2, relays=2, workers=2)
    assert "no issues" in check()

    plan(web=2, relays=2, workers=20)
    with pytest.raises(SystemCheckError) as caught:
        check()
    assert "(notifications.E065) The fleet as planned may open" in str(caught.value)
    assert "(web 2 x 6, relays 2 x 21, workers 20 x 21, others 10)" in str(caught.value)
    assert f"which takes {connection_budget.allowed()}." in str(caught.value)

    with pytest.raises(SystemCheckError, match=r"notifications\.E065"):
        call_command("migrate_gently", skip_checks=False)


def test_a_database_that_does_not_answer_is_named_where_it_is_asked_for(stack: Stack) -> None:
    with database_closed_to("nobody", stack):
        with pytest.raises(SystemCheckError) as caught:
            check()
        call_command("check", "--tag", "messaging")  # asks no database
    said = str(caught.value)
    assert "(notifications.E095) DATABASES['default'] does not answer: connection failed" in said
    assert "is not currently accepting connections" in said
    assert "DATABASE_URL" in said


def test_what_the_role_or_the_database_may_have_counts_too(plan: Any) -> None:
    server = connection_budget.allowed()
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_database())")
        (name,) = cursor.fetchone()
        cursor.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 30")  # rolled back with the test
    assert connection_budget.allowed() == 30 < server
    plan(web=0, relays=0, workers=1)
    assert "may open 31 " in connection_budget.excess()


def test_relays_and_workers_say_so_in_their_log(
    plan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    plan(workers=1000)
    caplog.set_level(logging.WARNING, "notifications")
    connection_budget.watch(using="default", go_on=lambda: True)
    connection_budget.warn(children=16)  # of a worker with -P prefork, which no plan knows of
    threads, forks = (record.getMessage() for record in caplog.records)
    assert threads.startswith("The fleet as planned may open 21037 ")
    assert forks.startswith("The fleet as planned may open 37037 ")
    assert connection_budget.MEND in threads


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/app/.venv/bin/gunicorn orders_site.wsgi", "shop web"),
        ("/lib/gunicorn/__main__.py orders_site.wsgi", "shop web"),
        ("/app/.venv/bin/celery -A orders_site worker -Q email", "shop worker"),
        ("manage.py relay -v 2", "shop relay"),
        ("/app/manage.py migrate", "shop manage.py migrate"),
    ],
)
def test_the_server_s_own_list_says_whose_a_connection_is(command: str, name: str) -> None:
    assert process_name(command.split()) == name
