"""Personal data: masked on every page, shown to who may see it when they ask, and written down."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client, RequestFactory

from notifications.admin import reveal
from notifications.audit import about
from notifications.models import AuditEntry, Delivery
from orders_site.customers.models import Customer
from orders_site.orders.models import Order
from tests.integration.operator_rows import EMAIL, list_url, make_delivery, make_event, page_url
from tests.integration.operator_rows import operator as who_may_view
from tests.shop import a_customer, an_order

pytestmark = pytest.mark.django_db


def operator(*models: type[Model], may: tuple[str, ...] = ()) -> Client:
    client = who_may_view(*models)
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.user_permissions.add(*Permission.objects.filter(codename__in=may))
    return client


def revealed(row: Model) -> str:
    return page_url(row).replace("/change/", "/reveal/")


def test_an_address_is_shown_in_one_answer_and_that_is_in_the_audit() -> None:
    delivery = make_delivery(make_event())
    client = operator(Delivery, may=("view_personal_data",))
    assert EMAIL not in client.get(page_url(delivery)).content.decode()

    answer = client.post(revealed(delivery))

    assert EMAIL in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    entry = AuditEntry.objects.exclude(action="user.sign_in").get()
    assert (entry.action, entry.target_kind) == ("personal_data.reveal", "delivery")
    assert (entry.target, entry.subject, entry.door) == (str(delivery.pk), "order/1", "page")
    again = client.get(page_url(delivery)).content.decode()
    assert EMAIL not in again
    assert "g…@example.org" in again


def test_who_may_not_see_it_has_a_button_that_says_why() -> None:
    delivery = make_delivery(make_event())
    client = operator(Delivery)
    page = client.get(page_url(delivery)).content.decode()
    assert "You lack the permission “Can see addresses and what people were told”." in page
    assert f'action="{revealed(delivery)}"' in page
    assert client.post(revealed(delivery)).status_code == 403
    elsewhere = operator(Customer, may=("view_personal_data",))
    assert elsewhere.post(revealed(delivery)).status_code == 403
    assert not AuditEntry.objects.exclude(action="user.sign_in").exists()


def test_nothing_is_revealed_by_a_link_of_what_is_not_there_or_was_forgotten() -> None:
    delivery = make_delivery(make_event())
    client = operator(Delivery, may=("view_personal_data",))
    assert client.get(revealed(delivery)).status_code == 405
    Delivery.objects.update(address="")
    assert revealed(delivery) not in client.get(page_url(delivery)).content.decode()
    delivery.delete()
    assert client.post(revealed(delivery)).status_code == 404


def test_customers_are_masked_wherever_they_stand() -> None:
    customer = a_customer(devices=1)
    order = an_order(customer=customer)
    device = customer.devices.get()
    client = operator(Customer, Order, may=("view_device", "change_customer", "change_device"))
    for url in (list_url(Customer), page_url(customer), list_url(Order), page_url(order)):
        page = client.get(url).content.decode()
        for secret in (customer.email, customer.last_name, customer.phone, device.token):
            assert secret not in page, (url, secret)
        assert f"customer/{customer.pk}" in page


def test_what_is_masked_is_not_changed_by_saving_the_rest() -> None:
    customer = a_customer(devices=1)
    client = operator(
        Customer, may=("view_personal_data", "change_customer", "view_device", "change_device")
    )
    form = {"locale": "de", "time_zone": "UTC", "country": "AT", "email": "x@example.org"}

    assert client.post(page_url(customer), {**form, **_management(0)}).status_code == 302
    saved = Customer.objects.get()
    assert (saved.locale, saved.email) == ("de", customer.email)

    page = client.post(revealed(customer)).content.decode()
    assert f'value="{customer.email}"' in page
    assert AuditEntry.objects.get(about(str(customer))).action == "personal_data.reveal"
    assert f'action="{page_url(customer)}?revealed=1"' in page
    names = {"first_name": "Ann", "last_name": "Lee"}
    device = {
        "id": customer.devices.get().pk,
        "platform": "ios",
        "token": "t",
        "customer": customer.pk,
    }
    inline = {f"devices-0-{name}": value for name, value in device.items()}
    url = f"{page_url(customer)}?revealed=1"
    answer = client.post(url, {**form, **names, **_management(1), **inline})
    assert answer.status_code == 302, answer.context["errors"]
    assert Customer.objects.get().email == "x@example.org"
    assert customer.devices.get().token == "t"


def test_who_may_not_see_an_address_does_not_write_over_it() -> None:
    customer = a_customer()
    client = operator(Customer, may=("change_customer",))
    form = {"locale": "de", "time_zone": "UTC", "email": "x@example.org", **_management(0)}
    client.post(f"{page_url(customer)}?revealed=1", form)
    assert Customer.objects.get().email == customer.email


def test_a_ticket_is_good_for_its_own_row_and_visitor() -> None:
    first, second = (make_delivery(make_event(number)) for number in (1, 2))
    request = RequestFactory().get("/")
    request.user = User.objects.create_superuser("ada")
    given = reveal.ticket(request, first)
    assert reveal.admits(request, first, given)
    assert not reveal.admits(request, second, given)
    assert not reveal.admits(request, first, given + "x")
    request.user = User.objects.create_superuser("mira")
    assert not reveal.admits(request, first, given)


def _management(initial: int) -> dict[str, int]:
    return {"devices-TOTAL_FORMS": initial, "devices-INITIAL_FORMS": initial}


@pytest.mark.parametrize("model", [Delivery, Customer])
def test_an_address_that_is_searched_for_stands_in_no_url(model: type[Model]) -> None:
    """Of which web servers, proxies and browsers keep copies."""
    row = make_delivery(make_event()) if model is Delivery else a_customer()
    address = EMAIL if isinstance(row, Delivery) else row.email
    client = operator(model)
    search = list_url(model) + "search/?state=pending"

    answer = client.post(search.replace("?", "?q=old&"), {"q": address})

    found = answer["Location"]
    assert address.partition("@")[0] not in found
    shown = client.get(found.replace("state=pending&", ""))
    assert [each.pk for each in shown.context["cl"].result_list] == [row.pk]
    assert address not in shown.content.decode()
    for phone in ("+49 172 9920099", "0049 172 9920099", "(0172) 99 200 99"):
        assert "99" not in client.post(search, {"q": phone})["Location"].partition("sealed")[0]
    assert client.post(search, {"q": "order/1"})["Location"].endswith("?state=pending&q=order%2F1")
    assert client.get(list_url(model) + "?q=sealed:1:AAAA", follow=True).status_code == 200
