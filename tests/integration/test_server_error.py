"""What people see when a page fails: that it did, whether to come back, and where the reason is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from notifications.unsubscribe import PreferenceLink
from tests.integration.together import at_once

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def staff() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("ada"))
    return client


@contextmanager
def struck(strike: Callable[[], object]) -> Iterator[None]:
    """Before each statement."""

    def first(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        strike()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(first):
        yield
    connection.close()


def end_of_the_server() -> None:
    """As far as any connection to this database can see."""
    parameters = connection.get_connection_params()
    known = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port")}
    with psycopg.connect(**known) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def mistake() -> None:
    raise RuntimeError("a secret")


def text(response: HttpResponse) -> str:
    return response.content.decode()


def test_an_operator_is_told_of_an_outage_and_where_the_runbook_is(
    staff: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with struck(end_of_the_server), caplog.at_level(logging.CRITICAL, "django.request"):
        response = staff.get("/admin/console/overview/", headers={"traceparent": TRACE})

    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert "The database does not do what this page asks for" in text(response)
    assert "“Database down” in docs/operating.md" in text(response)
    assert "as trace_id 0af7651916cd43dd8448eb211c80319c." in text(response)
    assert staff.get("/admin/console/overview/").status_code == 200


@pytest.mark.parametrize("first", ["a query", "a transaction"])
def test_after_the_server_came_back_one_request_fails_and_no_other(
    staff: Client, first: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without that, each connection that waited in the pool would fail one more."""
    link = urlsplit(PreferenceLink("customer/1").url).path

    def ask() -> Any:
        if first == "a query":
            return staff.get("/admin/console/overview/")
        return staff.post(link, {"shown": ["news:email"], "wanted": ["news:email"]})

    at_once(connection.ensure_connection, 4)
    end_of_the_server()

    with caplog.at_level(logging.CRITICAL, "django.request"):
        answers = []
        for _ in range(4):
            answers.append(ask().status_code)
            connection.close()

    assert answers == [503, 200, 200, 200]


@pytest.mark.parametrize(
    ("language", "heading"),
    [("en", "Out of order for a moment"), ("de", "Gerade nicht zu erreichen")],
)
def test_a_customer_is_told_to_try_again_and_nothing_of_databases(
    language: str, heading: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(raise_request_exception=False, headers={"Accept-Language": language})
    link = urlsplit(PreferenceLink("customer/1").url).path
    with struck(end_of_the_server), caplog.at_level(logging.CRITICAL, "django.request"):
        response = client.get(link)

    assert response.status_code == 503
    assert f"<h1>{heading}</h1>" in text(response)
    assert "atabase" not in text(response)
    assert response["Content-Security-Policy"].startswith("default-src 'none'; style-src 'nonce-")
    assert response["Cache-Control"] == "no-store"


def test_a_mistake_of_ours_tells_nothing_but_where_to_look(
    staff: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with struck(mistake), caplog.at_level(logging.CRITICAL, "django.request"):
        response = staff.get("/admin/console/overview/")

    assert response.status_code == 500
    assert "Retry-After" not in response
    assert "<h1>This did not work</h1>" in text(response)
    assert "The log of this process has the reason, as trace_id " in text(response)
    assert "a secret" not in text(response)
