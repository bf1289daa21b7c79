"""Stock in the admin: seen at a glance, corrected with a reason by who may, never set blindly."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from orders_site.inventory.models import Reservation, StockItem
from orders_site.orders.services import cancel_order, ship_order
from tests.shop import a_product
from tests.stock import cancelled, in_stock, on_hand, order_of, placed, told

pytestmark = pytest.mark.django_db
STOCK = "/admin/inventory/stockitem/"


def correct(client: Client, item: StockItem, **said: Any) -> Any:
    asked = {
        "on_hand": item.on_hand,
        "shown": item.on_hand,
        "corrections": 0,
        "reorder_threshold": item.reorder_threshold,
        "reason": "counted",
    }
    return client.post(f"{STOCK}{item.pk}/change/", {**asked, **said}, follow=True)


def test_the_list_says_what_is_on_hand_reserved_and_low(admin_client: Client) -> None:
    mug, plate = in_stock(10, threshold=9), in_stock(3)
    waiting, left, over = (order_of((mug, quantity)) for quantity in (2, 3, 4))
    for order in (waiting, left, over):
        placed(order)
    ship_order(order=left, tracking_code="JJD0001", carrier="DHL")
    cancel_order(order=over, reason="customer_request")
    cancelled(over)

    shown = admin_client.get(STOCK).content.decode()
    assert '<td class="field-on_hand">5</td><td class="field-reserved">2</td>' in shown
    assert '<td class="field-on_hand">3</td><td class="field-reserved">0</td>' in shown
    low = admin_client.get(STOCK, {"stock": "low"}).content.decode()
    assert mug.product.sku in low
    assert plate.product.sku not in low
    assert mug.product.sku in admin_client.get(STOCK, {"q": mug.product.sku}).content.decode()


def test_a_correction_is_kept_with_its_reason_and_undoes_no_order(admin_client: Client) -> None:
    mug = in_stock(10)
    placed(order_of((mug, 4)))  # since the page was opened

    correct(admin_client, mug, on_hand=12, reorder_threshold=20, reason="two behind the shelf")

    assert on_hand(mug) == 8
    entry = LogEntry.objects.get()
    assert entry.change_message == ("+2 pieces, 8 on hand, threshold 20: two behind the shelf")
    assert told("stock.low") == [{"sku": mug.product.sku, "on_hand": 8, "threshold": 20}]


def test_a_correction_whose_button_is_pressed_twice_is_made_once(admin_client: Client) -> None:
    mug = in_stock(10)
    correct(admin_client, mug, on_hand=12)

    said = correct(admin_client, mug, on_hand=12).content.decode()

    assert "It was corrected meanwhile, there are 12: open the page again." in said
    assert on_hand(mug) == 12
    assert LogEntry.objects.count() == 1
    page = admin_client.get(f"{STOCK}{mug.pk}/change/").content.decode()
    assert 'name="corrections" value="1"' in page


def test_what_would_leave_fewer_than_none_is_refused_at_its_field(admin_client: Client) -> None:
    mug = in_stock(10)
    placed(order_of((mug, 9)))

    said = correct(admin_client, mug, on_hand=8).content.decode()

    assert "Meanwhile there are 1, and -2 is not possible." in said
    assert on_hand(mug) == 1
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    "wrong", [{"on_hand": -1}, {"on_hand": 10**10}, {"reason": ""}, {"shown": "x"}]
)
def test_what_makes_no_sense_is_refused(admin_client: Client, wrong: dict[str, Any]) -> None:
    mug = in_stock(10)
    assert correct(admin_client, mug, **wrong).status_code == 200
    assert on_hand(mug) == 10


def test_a_product_is_put_in_stock(admin_client: Client) -> None:
    product = a_product()
    asked = {"product": product.pk, "on_hand": 5, "reorder_threshold": 6}
    asked |= {"shown": 0, "corrections": 0}
    assert admin_client.get(f"{STOCK}add/").status_code == 200
    admin_client.post(f"{STOCK}add/", {**asked, "reason": "new"})

    item = StockItem.objects.get()
    assert (item.product, item.on_hand, item.reorder_threshold) == (product, 5, 6)
    assert told("stock.low") == [{"sku": product.sku, "on_hand": 5, "threshold": 6}]
    assert LogEntry.objects.get().object_id == str(item.pk)


def test_who_may_only_look_changes_nothing(client: Client) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_stockitem"))
    client.force_login(user)
    mug = in_stock(10)

    page = client.get(f"{STOCK}{mug.pk}/change/")
    assert page.status_code == 200
    assert 'name="on_hand"' not in page.content.decode()
    assert correct(client, mug, on_hand=99).status_code == 403
    assert client.get("/admin/inventory/reservation/").status_code == 403
    assert on_hand(mug) == 10


def test_nothing_in_stock_is_deleted_and_a_get_corrects_nothing(admin_client: Client) -> None:
    mug = in_stock(10)
    assert admin_client.post(f"{STOCK}{mug.pk}/delete/", {"post": "yes"}).status_code == 403
    admin_client.get(f"{STOCK}{mug.pk}/change/", {"on_hand": 99, "shown": 10, "reason": "x"})
    assert on_hand(mug) == 10


def test_an_order_leads_to_its_reservation_which_says_what_was_taken(
    admin_client: Client,
) -> None:
    mug = in_stock(10)
    fits, does_not = order_of((mug, 7)), order_of((mug, 7))
    placed(fits)
    placed(does_not)
    reserved, short = Reservation.objects.order_by("pk")

    page = admin_client.get(f"/admin/orders/order/{fits.pk}/change/").content.decode()
    link = f"/admin/inventory/reservation/{reserved.pk}/change/"
    assert link in page
    shown = admin_client.get(link).content.decode()
    assert f"<td>{mug.product.sku}</td>" in shown
    assert "<td>7</td>" in shown
    listed = admin_client.get("/admin/inventory/reservation/", {"state": "short"}).content.decode()
    assert f"/reservation/{short.pk}/" in listed
    assert f"/reservation/{reserved.pk}/" not in listed
    found = admin_client.get("/admin/inventory/reservation/", {"q": f"#{fits.pk}"})
    assert f"/reservation/{reserved.pk}/" in found.content.decode()
    assert admin_client.post(link, {"state": "released"}).status_code == 403
