"""The shop's admin pages: read by anybody who may, changed by POST and by permission only."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext

from notifications.models import Event
from orders_site.inventory.models import Reservation
from orders_site.inventory.services import stock_product
from orders_site.orders.models import Order, Product, Refund
from orders_site.orders.samples import Samples
from orders_site.orders.services import Line
from orders_site.payments.models import Payment, PaymentRefund
from tests.plans import many_orders
from tests.shop import a_customer, a_product, an_order

pytestmark = pytest.mark.django_db
ORDERS = "/admin/orders/order/"


@pytest.fixture
def operator(client: Client) -> Client:
    """Somebody who may look at orders and ship them, and nothing else."""
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_order", "view_orderline", "ship_order"])
    )
    client.force_login(user)
    return client


def post(client: Client, action: str, order: Order, **fields: Any) -> Any:
    return client.post(
        ORDERS, {"action": action, "_selected_action": [order.pk], **fields}, follow=True
    )


def test_the_front_door_leads_to_the_admin(client: Client) -> None:
    assert client.get("/", follow=True).redirect_chain[0] == ("/admin/", 302)


def test_every_page_of_the_shop_opens(admin_client: Client) -> None:
    order = an_order(customer=a_customer(devices=2))
    product = order.lines.get().product
    for page in (
        ORDERS,
        f"{ORDERS}{order.pk}/change/",
        f"{ORDERS}?state=placed",
        "/admin/customers/customer/",
        f"/admin/customers/customer/{order.customer_id}/change/",
        "/admin/customers/customer/add/",
        "/admin/orders/product/",
        f"/admin/orders/product/{product.pk}/change/",
        "/admin/payments/payment/",
        "/admin/payments/payment/?state=void",
        "/admin/payments/paymentrefund/",
    ):
        assert admin_client.get(page).status_code == 200, page


def test_no_list_counts_and_none_asks_more_for_more_rows(admin_client: Client) -> None:
    samples = Samples()
    customers = samples.customers(3)

    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(ORDERS).status_code == 200
        return [query["sql"] for query in captured.captured_queries]

    samples.place(customers[0])
    few = queries()
    for customer in customers * 3:
        samples.place(customer)
    many = queries()
    assert len(few) == len(many)
    assert not [sql for sql in many if "COUNT(" in sql]


@pytest.mark.parametrize(
    "page",
    [
        "/admin/customers/customer/",
        "/admin/orders/product/",
        "/admin/payments/payment/",
        "/admin/payments/paymentrefund/",
    ],
)
def test_the_other_lists_do_not_count_either(admin_client: Client, page: str) -> None:
    an_order()
    with CaptureQueriesContext(connection) as captured:
        admin_client.get(page)
    assert not [query for query in captured.captured_queries if "COUNT(" in query["sql"]]


def test_an_order_is_found_by_its_number_and_by_its_customers_address(
    admin_client: Client,
) -> None:
    order, other = an_order(), an_order()
    for term in (str(order.pk), f"#{order.pk}", f"order/{order.pk}", order.customer.email.upper()):
        page = admin_client.get(ORDERS, {"q": term}).content.decode()
        assert f"{ORDERS}{order.pk}/change/" in page, term
        assert f"{ORDERS}{other.pk}/change/" not in page, term
    assert admin_client.get(ORDERS, {"q": "nonsense'); --"}).status_code == 200


def test_an_address_is_found_as_it_was_written_down_with_capital_letters_too(
    admin_client: Client,
) -> None:
    order = an_order(customer=a_customer(email="Meryem@Example.org"))
    for page, found in ((ORDERS, order), ("/admin/customers/customer/", order.customer)):
        listed = admin_client.get(page, {"q": "Meryem@Example.org"}).content.decode()
        assert f"{page}{found.pk}/change/" in listed


def test_a_product_is_found_by_its_sku_as_it_was_entered(admin_client: Client) -> None:
    """In the list, and where one is chosen to be kept in stock."""
    product = a_product(sku="mug-Ähre")
    listed = admin_client.get("/admin/orders/product/", {"q": "mug-Ähre"}).content.decode()
    assert f"/admin/orders/product/{product.pk}/change/" in listed

    asked = {"app_label": "inventory", "model_name": "stockitem", "field_name": "product"}
    chosen = admin_client.get("/admin/autocomplete/", {**asked, "term": "mug-Ähre"}).json()
    assert [each["id"] for each in chosen["results"]] == [str(product.pk)]

    stock_product(product=product, on_hand=1)
    shelf = admin_client.get("/admin/inventory/stockitem/", {"q": "mug-Ähre"}).content.decode()
    assert "/admin/inventory/stockitem/" in shelf.partition("<tbody>")[2]


def test_a_page_older_than_its_row_puts_no_price_back(admin_client: Client) -> None:
    product = a_product(price_minor=2495)
    url = f"/admin/orders/product/{product.pk}/change/"
    hers, his = (fields_of(admin_client.get(url)) for _ in range(2))

    assert admin_client.post(url, {**hers, "price_minor": "2995"}).status_code == 302
    said = admin_client.post(url, {**his, "name": "Mug"}).content.decode()

    assert "It was changed meanwhile: open the page again." in said
    product.refresh_from_db()
    assert (product.price_minor, product.name) == (2995, "Mug “Salt & Pine”")
    again = fields_of(admin_client.get(url))
    assert admin_client.post(url, {**again, "name": "Mug"}).status_code == 302
    assert Product.objects.get().name == "Mug"


def fields_of(page: Any) -> dict[str, Any]:
    """What the form of this page holds and would post."""
    form = page.context["adminform"].form
    assert f'name="seen" value="{form["seen"].value()}"' in page.content.decode()
    return {name: form[name].value() for name in form.fields}


def test_an_order_leads_to_its_deliveries(admin_client: Client) -> None:
    order = an_order()
    link = f"/admin/notifications/delivery/?q=order%2F{order.pk}"
    assert link in admin_client.get(f"{ORDERS}{order.pk}/change/").content.decode()
    assert admin_client.get(link).status_code == 200


def test_shipping_asks_for_carrier_and_code_then_tells_the_customer(operator: Client) -> None:
    order = an_order()
    asked = post(operator, "ship", order)
    assert f"Tracking code of order {order.pk}" in asked.content.decode()
    assert Order.objects.get().state == "placed"

    code = {f"tracking_code_{order.pk}": "JJD0001"}
    done = post(operator, "ship", order, confirmed="1", carrier="DHL", **code)
    assert f"Order {order.pk} is shipped." in done.content.decode()
    shipped = Order.objects.get()
    assert (shipped.state, shipped.carrier, shipped.tracking_code) == ("shipped", "DHL", "JJD0001")
    assert Event.objects.filter(type="order.shipped").count() == 1


def test_a_missing_tracking_code_is_asked_for_again(operator: Client) -> None:
    order = an_order()
    asked = post(operator, "ship", order, confirmed="1", carrier="DHL")
    assert "This field is required." in asked.content.decode()
    assert Order.objects.get().state == "placed"


def test_an_illegal_step_is_refused_in_words(admin_client: Client) -> None:
    order = an_order()
    for _ in range(2):
        done = post(admin_client, "cancel", order, confirmed="1", reason="out_of_stock")
    assert f"Order {order.pk} is cancelled and cannot be cancelled" in done.content.decode()
    assert Event.objects.filter(type="order.cancelled").count() == 1


def test_who_may_not_cancel_is_neither_offered_it_nor_obeyed(operator: Client) -> None:
    order = an_order()
    page = operator.get(f"{ORDERS}{order.pk}/change/").content.decode()
    assert 'value="ship"' in page
    assert 'value="cancel"' not in page
    post(operator, "cancel", order, confirmed="1", reason="out_of_stock")
    assert Order.objects.get().state == "placed"


def test_a_get_changes_nothing(admin_client: Client) -> None:
    order = an_order()
    asked = {"action": "cancel", "_selected_action": order.pk, "confirmed": 1, "reason": "whim"}
    admin_client.get(ORDERS, asked)
    admin_client.get(f"{ORDERS}{order.pk}/change/", asked)
    assert Order.objects.get().state == "placed"


def test_an_order_cannot_be_edited_or_deleted_past_the_services(admin_client: Client) -> None:
    order = an_order()
    change = f"{ORDERS}{order.pk}/change/"
    assert admin_client.post(change, {"state": "cancelled"}).status_code == 403
    assert admin_client.post(f"{ORDERS}{order.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get(f"{ORDERS}add/").status_code == 403
    assert Order.objects.get().state == "placed"


def test_a_telephone_number_must_be_e164(admin_client: Client) -> None:
    customer = a_customer()
    page = f"/admin/customers/customer/{customer.pk}/change/?revealed=1"
    said = admin_client.post(page, {"phone": "0171 3920011"}).content.decode()
    assert "Write it as E.164" in said


def test_refunding_asks_for_reason_and_amount_then_owes_it(admin_client: Client) -> None:
    order = an_order()
    asked = post(admin_client, "refund", order).content.decode()
    assert f"Amount of order {order.pk} (EUR, at most 49.90)" in asked
    assert not Refund.objects.exists()

    assert f'<input type="hidden" name="left_{order.pk}" value="4990"' in asked
    wanted = a_refund(order, "12.50")
    done = post(admin_client, "refund", order, **wanted)
    assert f"Order {order.pk} is refunded." in done.content.decode()
    assert Refund.objects.get().amount_minor == 1250
    assert Event.objects.get(type="order.refunded").data["amount_minor"] == 1250

    again = post(admin_client, "refund", order, **wanted).content.decode()
    assert f"Order {order.pk} was refunded meanwhile; €37.40 can still be refunded." in again
    assert Refund.objects.count() == 1


def a_refund(order: Order, amount: str, reason: str = "damaged") -> dict[str, Any]:
    """What the form sends of an order of which nothing has been refunded yet."""
    left = order.total.amount
    confirmed = {"confirmed": "1", "reason": reason}
    return {**confirmed, f"amount_{order.pk}": amount, f"left_{order.pk}": left}


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("49.91", "€49.90 can still be refunded"),
        ("0", "greater than or equal to 0.01"),
        ("1.005", "no more than 2 decimal places"),
        ("-5", "greater than or equal to 0.01"),
        ("1e999999999", "no more than 13 digits"),
    ],
)
def test_an_amount_that_cannot_be_refunded_is_refused_in_words(
    admin_client: Client, amount: str, said: str
) -> None:
    order = an_order()
    refused = post(admin_client, "refund", order, **a_refund(order, amount))
    assert said in refused.content.decode()
    assert not Refund.objects.exists()


def test_yen_are_refunded_whole(admin_client: Client) -> None:
    order = an_order(lines=[Line(a_product(price_minor=1999, currency="JPY"))])
    post(admin_client, "refund", order, **a_refund(order, "1999", "returned"))
    assert Refund.objects.get().amount_minor == 1999


def test_who_may_not_refund_is_neither_offered_it_nor_obeyed(operator: Client) -> None:
    order = an_order()
    assert 'value="refund"' not in operator.get(f"{ORDERS}{order.pk}/change/").content.decode()
    post(operator, "refund", order, **a_refund(order, "12.50"))
    assert not Refund.objects.exists()


def test_an_order_leads_to_its_payment_and_that_to_its_refunds(admin_client: Client) -> None:
    order = an_order()
    Payment.objects.open(order, Payment.State.EXPECTED)
    PaymentRefund.objects.owe(order, key="refund-17", wanted_minor=1250)
    PaymentRefund.objects.owe(order, key="refund-18", wanted_minor=None)
    payment, refund = Payment.objects.get(), PaymentRefund.objects.first()
    assert refund is not None
    link = f"/admin/payments/payment/{payment.pk}/change/"

    page = admin_client.get(f"{ORDERS}{order.pk}/change/").content.decode()
    assert link in page
    assert "refund-17" in page
    assert link in admin_client.get(ORDERS).content.decode()

    page = admin_client.get(link).content.decode()
    for said in (f"charge-{order.pk}", "€49.90", "refund-17", "€12.50", "all that is left"):
        assert said in page
    assert f"{ORDERS}{order.pk}/change/" in page
    assert f"/admin/notifications/delivery/?q=order%2F{order.pk}" in page
    assert admin_client.get(f"/admin/payments/paymentrefund/{refund.pk}/change/").status_code == 200


def test_a_payment_is_found_by_its_order_and_by_the_providers_id(admin_client: Client) -> None:
    order, other = an_order(), an_order()
    for each in (order, other):
        Payment.objects.open(each, Payment.State.EXPECTED)
    Payment.objects.filter(order=order).update(provider_id="ch_1")
    for term in (f"order/{order.pk}", f"#{order.pk}", "ch_1"):
        page = admin_client.get("/admin/payments/payment/", {"q": term}).content.decode()
        assert f"#{order.pk}</a>" in page, term
        assert f"#{other.pk}</a>" not in page, term


def test_a_payment_cannot_be_edited_by_hand(admin_client: Client) -> None:
    Payment.objects.open(an_order(), Payment.State.EXPECTED)
    page = f"/admin/payments/payment/{Payment.objects.get().pk}/"
    assert admin_client.post(f"{page}change/", {"state": "completed"}).status_code == 403
    assert admin_client.post(f"{page}delete/", {"post": "yes"}).status_code == 403
    assert Payment.objects.get().state == "expected"


@pytest.mark.parametrize(
    ("rows", "index"),
    [
        (Payment.objects.filter(provider_id="ch_1"), "payment_by_provider_id"),
        (Payment.objects.filter(state="failed").order_by("-id")[:50], "payment_by_state"),
        (Reservation.objects.filter(state="short").order_by("-id")[:50], "reservation_by_state"),
    ],
)
def test_the_few_that_an_operator_looks_for_are_not_sought_among_all(
    rows: QuerySet[Any], index: str
) -> None:
    many_orders()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    plan = rows.explain()
    assert f"using {index}" in plan
    assert "Filter" not in plan
