"""The OpenAPI page and what it is made of: all operations, their errors, examples, own files."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from tests.api import a_caller

pytestmark = pytest.mark.django_db
SCHEMA, PAGE = "/api/openapi.json", "/api/docs"

OPERATIONS = {
    ("post", "/api/orders"): {201, 400, 401, 409, 413, 422, 429, 500, 503},
    ("get", "/api/orders"): {200, 401, 422, 429, 500, 503},
    ("get", "/api/orders/{order_id}"): {200, 401, 404, 422, 429, 500, 503},
    ("post", "/api/orders/{order_id}/ship"): {200, 400, 401, 404, 409, 413, 422, 429, 500, 503},
    ("post", "/api/orders/{order_id}/cancel"): {200, 400, 401, 404, 409, 413, 422, 429, 500, 503},
    ("post", "/api/orders/{order_id}/refund"): {200, 400, 401, 404, 409, 413, 422, 429, 500, 503},
    ("post", "/api/announcements"): {201, 400, 401, 403, 409, 413, 422, 429, 500, 503},
    ("get", "/api/announcements"): {200, 401, 403, 422, 429, 500, 503},
    ("get", "/api/announcements/{number}"): {200, 401, 403, 404, 422, 429, 500, 503},
    **{
        ("post", f"/api/announcements/{{number}}/{verb}"): {
            *(200, 400, 401, 403, 404, 409, 413, 422, 429, 500, 503)
        }
        for verb in ("pause", "resume", "cancel")
    },
}


@pytest.fixture
def schema(admin_client: Client) -> Any:
    return admin_client.get(SCHEMA).json()


def test_the_schema_lists_all_operations_and_their_answers(schema: Any) -> None:
    found = {
        (method, path): {int(status) for status in operation["responses"]}
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }
    assert found == OPERATIONS


def test_every_answer_is_typed_and_every_error_of_one_shape(schema: Any) -> None:
    for method, path in OPERATIONS:
        for status, answer in schema["paths"][path][method]["responses"].items():
            shape = answer["content"]["application/json"]["schema"]["$ref"].rsplit("/")[-1]
            assert (shape == "ErrorOut") == (int(status) >= 400), (path, status)


def test_every_operation_asks_for_a_token_and_every_post_takes_a_key(schema: Any) -> None:
    assert schema["components"]["securitySchemes"]["Bearer"]["scheme"] == "bearer"
    for method, path in OPERATIONS:
        operation = schema["paths"][path][method]
        assert operation["security"] == [{"Bearer": []}]
        assert operation["summary"]
        names = [parameter["name"] for parameter in operation["parameters"]]
        assert ("Idempotency-Key" in names) == (method == "post")


def test_bodies_have_their_bounds_and_examples(schema: Any) -> None:
    shapes = schema["components"]["schemas"]
    assert shapes["NewOrder"]["additionalProperties"] is False
    assert shapes["NewOrder"]["examples"]
    assert shapes["NewOrder"]["properties"]["lines"]["maxItems"] == 100
    assert shapes["NewLine"]["properties"]["quantity"]["maximum"] == 999
    assert shapes["Amount"]["properties"]["amount_minor"]["maximum"] == 10**12
    assert "out_of_stock" in shapes["Cancellation"]["properties"]["reason"]["enum"]
    assert shapes["OrderOut"]["properties"]["id"]["examples"]


def test_the_page_loads_only_what_is_served_from_here(admin_client: Client) -> None:
    html = admin_client.get(PAGE).content.decode()
    files = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert any("swagger-ui-bundle.js" in file for file in files)
    for file in files:
        assert file.startswith("/static/ninja/"), file
        response = admin_client.get(file)
        assert response.status_code == 200, file
        response.close()
    assert '"validatorUrl": null' in html


def test_strangers_are_sent_to_the_login_and_clients_may_read_the_schema(client: Client) -> None:
    for address in (PAGE, SCHEMA):
        response = client.get(address)
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")
    assert a_caller().get(SCHEMA).json()["openapi"].startswith("3.")
    wrong = client.get(SCHEMA, headers={"Authorization": "Bearer nonsense"})
    assert wrong.status_code == 401
