"""The order API: place, read, list, ship, cancel and refund, each by its own client alone."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from notifications.models import Event
from orders_site.customers.services import forget_customer
from orders_site.orders.models import Order
from tests.api import ORDERS, Caller, a_caller, an_order_for
from tests.plans import many_orders
from tests.shop import a_customer, a_product, an_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller() -> Caller:
    return a_caller()


@pytest.fixture
def placed(caller: Caller) -> Any:
    """An order of two mugs, as the API told it: 49.90 €."""
    return caller.place(a_customer()).json()


@pytest.mark.S2
def test_an_order_is_placed_and_its_address_is_told(caller: Caller) -> None:
    customer, mug = a_customer(), a_product()
    body = {"customer": customer.pk, "lines": [{"sku": mug.sku, "quantity": 2}]}

    response = caller.post(ORDERS, body)

    assert response.status_code == 201
    order = Order.objects.get()
    assert response["Location"] == f"/api/orders/{order.pk}"
    assert response.json() == {
        "id": order.pk,
        "state": "placed",
        "customer": customer.pk,
        "lines": [
            {
                "sku": mug.sku,
                "name": mug.name,
                "quantity": 2,
                "unit_price": {"amount_minor": 2495, "currency": "EUR", "text": "€24.95"},
                "total": {"amount_minor": 4990, "currency": "EUR", "text": "€49.90"},
            }
        ],
        "total": {"amount_minor": 4990, "currency": "EUR", "text": "€49.90"},
        "refunded": {"amount_minor": 0, "currency": "EUR", "text": "€0.00"},
        "placed_at": order.placed_at.isoformat().replace("+00:00", "Z"),
        "carrier": "",
        "tracking_code": "",
        "shipped_at": None,
        "cancel_reason": "",
        "cancelled_at": None,
    }
    assert order.client == caller.name
    assert Event.objects.get().subject == f"order/{order.pk}"


def test_an_order_reads_as_it_was_told_when_it_was_placed(caller: Caller, placed: Any) -> None:
    assert caller.get(f"{ORDERS}/{placed['id']}").json() == placed


def test_a_quantity_is_one_where_none_is_said(caller: Caller) -> None:
    body = {"customer": a_customer().pk, "lines": [{"sku": a_product().sku}]}
    assert caller.post(ORDERS, body).json()["lines"][0]["quantity"] == 1


def test_an_order_is_shipped(caller: Caller, placed: Any) -> None:
    shipment = {"carrier": "DHL", "tracking_code": "JJD0001"}
    response = caller.post(f"{ORDERS}/{placed['id']}/ship", shipment)

    assert response.status_code == 200
    told = response.json()
    assert (told["state"], told["carrier"], told["tracking_code"]) == ("shipped", "DHL", "JJD0001")
    assert told["shipped_at"]
    assert Event.objects.filter(type="order.shipped").count() == 1


def test_an_order_is_cancelled(caller: Caller, placed: Any) -> None:
    told = caller.post(f"{ORDERS}/{placed['id']}/cancel", {"reason": "out_of_stock"}).json()

    assert (told["state"], told["cancel_reason"]) == ("cancelled", "out_of_stock")
    assert Event.objects.filter(type="order.cancelled").count() == 1


def test_an_order_is_refunded_in_part_then_wholly(caller: Caller, placed: Any) -> None:
    refund = f"{ORDERS}/{placed['id']}/refund"
    amount = {"amount_minor": 1000, "currency": "EUR"}

    part = caller.post(refund, {"reason": "damaged", "amount": amount})
    assert part.status_code == 200
    assert part.json()["refunded"]["amount_minor"] == 1000
    rest = caller.post(refund, {"reason": "goodwill"})
    assert rest.json()["refunded"]["amount_minor"] == 4990

    too_much = caller.post(refund, {"reason": "goodwill", "amount": amount})
    assert too_much.status_code == 422
    assert too_much.json()["error"]["fields"][0]["field"] == "amount"
    amounts = [event.data["amount_minor"] for event in Event.objects.filter(type="order.refunded")]
    assert sorted(amounts) == [1000, 3990]


def test_a_change_that_the_state_forbids_names_it_and_what_is_possible(
    caller: Caller, placed: Any
) -> None:
    caller.post(f"{ORDERS}/{placed['id']}/cancel", {"reason": "customer_request"})

    shipment = {"carrier": "DHL", "tracking_code": "JJD0001"}
    response = caller.post(f"{ORDERS}/{placed['id']}/ship", shipment)

    assert response.status_code == 409
    error = response.json()["error"]
    assert error["code"] == "illegal_transition"
    assert (error["state"], error["allowed"]) == ("cancelled", [])
    shipped = caller.place(a_customer()).json()["id"]
    caller.post(f"{ORDERS}/{shipped}/ship", shipment)
    again = caller.post(f"{ORDERS}/{shipped}/ship", shipment).json()["error"]
    assert again["state"] == "shipped"
    assert again["allowed"] == ["cancelled (lost_in_transit)", "cancelled (returned_to_sender)"]


@pytest.mark.S2
def test_no_order_is_readable_or_changeable_by_another_client(caller: Caller, placed: Any) -> None:
    other, own = a_caller(), an_order()
    for number in (placed["id"], own.pk, 10**6, 10**30):
        address = f"{ORDERS}/{number}"
        for response in (
            other.get(address),
            other.post(f"{address}/ship", {"carrier": "DHL", "tracking_code": "J"}),
            other.post(f"{address}/cancel", {"reason": "customer_request"}),
            other.post(f"{address}/refund", {"reason": "goodwill"}, key="k"),
        ):
            assert response.status_code == 404, address
            assert response.json()["error"]["code"] == "not_found"
    assert other.get().json() == {"orders": [], "next": None}
    assert set(Order.objects.values_list("state", "refunded_minor")) == {("placed", 0)}


def test_the_list_goes_page_by_page_the_latest_first(caller: Caller) -> None:
    customer, mug = a_customer(), a_product()
    ids = [caller.place(customer, mug).json()["id"] for _ in range(5)]
    a_caller().place(customer, mug)

    first = caller.get(limit=2).json()
    assert [order["id"] for order in first["orders"]] == [ids[4], ids[3]]
    newer = caller.place(customer, mug).json()["id"]
    second = caller.get(limit=2, after=first["next"]).json()
    assert [order["id"] for order in second["orders"]] == [ids[2], ids[1]]
    third = caller.get(limit=2, after=second["next"]).json()
    assert [order["id"] for order in third["orders"]] == [ids[0]]
    assert third["next"] is None
    assert caller.get(limit=1).json()["orders"][0]["id"] == newer


def test_the_list_can_be_of_one_state(caller: Caller) -> None:
    customer, mug = a_customer(), a_product()
    first, second = (caller.place(customer, mug).json()["id"] for _ in range(2))
    caller.post(f"{ORDERS}/{first}/cancel", {"reason": "customer_request"})

    assert [order["id"] for order in caller.get(state="cancelled").json()["orders"]] == [first]
    assert [order["id"] for order in caller.get(state="placed").json()["orders"]] == [second]


def test_a_longer_page_takes_no_more_statements(caller: Caller) -> None:
    customer, mug = a_customer(), a_product()

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            caller.get(limit=100)
        return len(captured)

    caller.place(customer, mug)
    caller.get()
    few = statements()
    for _ in range(3):
        caller.place(customer, mug)
    assert statements() == few


@pytest.mark.parametrize("query", [{}, {"state": "placed"}])
def test_the_list_is_read_from_its_index(caller: Caller, query: dict[str, str]) -> None:
    newest = many_orders(client="another")[-1]
    orders = Order.objects.filter(client=caller.name, pk__lt=newest.pk, **query).order_by("-pk")[
        :50
    ]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    plan = orders.explain()
    assert "Index Scan" in plan
    assert "order_by_client" in plan
    assert "Sort" not in plan


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customer": "7"}, "customer"),
        ({"customer": 0}, "customer"),
        ({"customer": 2**63}, "customer"),
        ({"customer": True}, "customer"),
        ({"customer": 123456789}, "customer"),
        ({"lines": []}, "lines"),
        ({"lines": [{"sku": "NONE"}] * 101}, "lines"),
        ({"lines": [{"sku": "NONE"}]}, "lines.0.sku"),
        ({"lines": [{"sku": ""}]}, "lines.0.sku"),
        ({"lines": [{"sku": "a\0b"}]}, "lines.0.sku"),
        ({"lines": [{"sku": "\ud800"}]}, "lines.0.sku"),
        ({"lines": [{"sku": "x" * 41}]}, "lines.0.sku"),
        ({"lines": [{"sku": "A", "quantity": 0}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "A", "quantity": 1000}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "A", "quantity": 1.0}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "A", "quantity": float("nan")}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "A", "colour": "red"}]}, "lines.0.colour"),
        ({"lines": {"sku": "A"}}, "lines"),
        ({"total_minor": 1}, "total_minor"),
    ],
)
def test_what_is_wrong_is_refused_with_the_field_named(
    caller: Caller, change: dict[str, Any], field: str
) -> None:
    response = caller.post(ORDERS, {**an_order_for(), **change})

    assert response.status_code == 422
    error = response.json()["error"]
    assert error["code"] == "invalid"
    assert field in [fault["field"] for fault in error["fields"]]
    assert error["message"].startswith(error["fields"][0]["field"])
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        ("ship", {"carrier": "DHL"}, "tracking_code"),
        ("ship", {"carrier": " ", "tracking_code": "J"}, "carrier"),
        ("ship", {"carrier": "a\0", "tracking_code": "J"}, "carrier"),
        ("cancel", {"reason": "boredom"}, "reason"),
        ("refund", {"reason": "boredom"}, "reason"),
        ("refund", {"reason": "damaged", "amount": 5}, "amount"),
        ("refund", _REFUND := {"reason": "damaged", "amount": {"amount_minor": 0}}, "currency"),
        ("refund", _REFUND, "amount.amount_minor"),
    ],
)
def test_a_change_is_validated_too(
    caller: Caller, placed: Any, verb: str, body: dict[str, Any], field: str
) -> None:
    response = caller.post(f"{ORDERS}/{placed['id']}/{verb}", body)

    assert response.status_code == 422
    fields = [fault["field"] for fault in response.json()["error"]["fields"]]
    assert any(name.endswith(field) for name in fields), fields


def test_nothing_is_ordered_for_who_was_forgotten(caller: Caller) -> None:
    customer = a_customer()
    forget_customer(customer_id=customer.pk)
    refused = caller.place(customer)
    assert refused.status_code == 422
    assert refused.json()["error"]["fields"][0]["field"] == "customer"
    assert not Order.objects.exists()


def test_money_of_another_currency_is_refused(caller: Caller, placed: Any) -> None:
    for currency in ("USD", "XXX"):
        body = {"reason": "damaged", "amount": {"amount_minor": 1, "currency": currency}}
        response = caller.post(f"{ORDERS}/{placed['id']}/refund", body)
        assert response.status_code == 422, currency
    yen = a_product(currency="JPY")
    mixed = caller.place(a_customer(), a_product(), yen)
    assert mixed.status_code == 422
    assert mixed.json()["error"]["fields"][0]["field"] == "currency"


def test_an_order_worth_more_than_money_can_be_is_refused(caller: Caller) -> None:
    response = caller.place(a_customer(), a_product(price_minor=10**12))
    assert response.status_code == 422
    assert response.json()["error"]["fields"][0]["field"] == "amount"


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"after": "x"}, {"state": "odd"}])
def test_a_wrong_page_is_refused(caller: Caller, query: dict[str, Any]) -> None:
    response = caller.get(**query)
    assert response.status_code == 422
    assert [fault["field"] for fault in response.json()["error"]["fields"]] == list(query)
