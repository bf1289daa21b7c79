"""The order API's errors: one shape, whoever noticed, and nothing told that is not the client's."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import pre_save
from django.test import Client

from orders_site.api.middleware import MAX_BODY
from orders_site.orders.models import Order
from orders_site.orders.signals import order_created
from tests.api import ORDERS, Caller, a_caller, an_order_for
from tests.shop import a_customer, a_product

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller() -> Caller:
    return a_caller()


def error_of(response: Any, status: int, code: str) -> dict[str, Any]:
    """The error, being of the one shape."""
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    (name,) = response.json()
    assert name == "error"
    error: dict[str, Any] = response.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert all(set(fault) == {"field", "message"} for fault in error["fields"])
    return error


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic YTpi"])
def test_who_has_no_token_is_refused(client: Client, header: str) -> None:
    response = client.get(ORDERS, headers={"Authorization": header} if header else {})
    error_of(response, 401, "unauthenticated")
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_login_to_the_admin_is_no_token(admin_client: Client) -> None:
    error_of(admin_client.get(ORDERS), 401, "unauthenticated")


def test_a_token_of_any_bytes_is_refused(client: Client) -> None:
    for token in ("\x00", "ü" * 40, "x" * 100_000):
        response = client.get(ORDERS, headers={"Authorization": f"Bearer {token}"})
        error_of(response, 401, "unauthenticated")


def test_what_does_not_exist_is_told_in_the_same_shape(caller: Caller, client: Client) -> None:
    for path in ("/api/", "/api/nothing", f"{ORDERS}/seven", f"{ORDERS}/1/boil"):
        error_of(caller.get(path), 404, "not_found")
        error_of(client.get(path), 404, "not_found")


def test_another_method_is_told_which_there_are(caller: Caller) -> None:
    response = caller.http.delete(ORDERS)
    error_of(response, 405, "method_not_allowed")
    assert set(response["Allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b"[" * 5000, b'{"customer": ' + b"9" * 5000 + b"}"]
)
def test_what_is_no_json_is_refused(caller: Caller, body: bytes) -> None:
    error_of(caller.post(ORDERS, body), 400, "bad_request")


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"null"])
def test_what_is_no_order_is_refused(caller: Caller, body: bytes) -> None:
    assert error_of(caller.post(ORDERS, body), 422, "invalid")["fields"][0]["field"] == "body"


def test_a_body_is_bounded_before_it_is_read(caller: Caller) -> None:
    error_of(caller.post(ORDERS, b" " * (MAX_BODY + 1)), 413, "too_large")
    assert caller.post(ORDERS, b" " * MAX_BODY).status_code == 400


def is_logged_once(log: pytest.LogCaptureFixture, message: str) -> None:
    """With where it comes from."""
    [record] = [record for record in log.records if record.name == "django.request"]
    assert record.getMessage() == message
    assert record.exc_info


def test_a_failure_of_ours_is_logged_once_and_tells_nothing(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("the secret is 42")

    order_created.connect(fail)
    try:
        response = caller.place(a_customer(), key="once")
    finally:
        order_created.disconnect(fail)

    error = error_of(response, 500, "internal_error")
    assert "42" not in str(error)
    is_logged_once(caplog, "Internal Server Error: /api/orders")
    assert not Order.objects.exists()
    assert caller.place(a_customer(), key="once").status_code == 201


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "trouble",
    ["SELECT pg_terminate_backend(pg_backend_pid())", "SET TRANSACTION READ ONLY"],
    ids=["the server went down", "it is a replica since a failover"],
)
def test_while_the_database_is_away_a_client_is_told_to_come_back(
    caller: Caller, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    def strike(**_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(trouble)

    customer, mug = a_customer(), a_product()
    pre_save.connect(strike, sender=Order)
    try:
        response = caller.place(customer, mug, key="once")
    finally:
        pre_save.disconnect(strike, sender=Order)

    error_of(response, 503, "unavailable")
    assert response["Retry-After"] == "5"
    is_logged_once(caplog, "Service Unavailable: /api/orders")
    assert not Order.objects.exists()
    assert caller.place(customer, mug, key="once").status_code == 201


def test_what_does_not_exist_is_logged_once(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/api/nothing")
    [record] = [record for record in caplog.records if record.name == "django.request"]
    assert record.getMessage() == "Not Found: /api/nothing"


def test_the_rest_of_the_site_keeps_its_pages(client: Client) -> None:
    assert client.get("/nothing")["Content-Type"].startswith("text/html")


def test_text_from_outside_is_never_run_as_sql(caller: Caller) -> None:
    body = an_order_for()
    body["lines"][0]["sku"] = "'); DROP TABLE orders_order; --"
    error_of(caller.post(ORDERS, body), 422, "invalid")
    assert "orders_order" in connection.introspection.table_names()
