"""The shop's customers lead to what they were told, on every channel."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from orders_site.customers.models import Customer, Device
from orders_site.customers.services import forget_customer
from tests.integration.together import all_at_once, waiting_for_locks
from tests.shop import a_customer
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db


def test_a_customer_leads_to_what_they_were_told(admin_client: Client) -> None:
    customer = a_customer(devices=1)
    page = admin_client.get(f"/admin/customers/customer/{customer.pk}/change/").content.decode()
    told = f"/admin/notifications/delivery/?q=customer%2F{customer.pk}"
    assert f'<a href="{told}">what they were told</a>' in page
    assert admin_client.get(told).status_code == 200


@pytest.mark.parametrize("typed", ["+491729920099", "+49 172 99200-99", "0049 (172) 9920099"])
def test_a_customer_is_found_by_a_phone_number_however_it_is_spelled(
    admin_client: Client, typed: str
) -> None:
    customer = a_customer(phone="+491729920099")
    page = admin_client.get("/admin/customers/customer/", {"q": typed}).content.decode()
    assert f"/admin/customers/customer/{customer.pk}/change/" in page


def test_a_customer_who_is_not_there_yet_was_told_nothing(admin_client: Client) -> None:
    page = admin_client.get("/admin/customers/customer/add/").content.decode()
    assert "what they were told" not in page


def as_it_was_shown(customer: Customer) -> dict[str, Any]:
    """What the form of a revealed page posts, whatever was done since."""
    fields = ("first_name", "last_name", "email", "phone", "whatsapp", "country", "locale")
    form = {name: getattr(customer, name) for name in (*fields, "time_zone")}
    inline = {"devices-TOTAL_FORMS": 0, "devices-INITIAL_FORMS": 0}
    return {**form, **inline, "email_consent": "on"}


def test_who_was_forgotten_while_their_page_was_open_stays_forgotten(admin_client: Client) -> None:
    customer = a_customer()
    forget_customer(customer_id=customer.pk)
    erased = Customer.objects.values().get()

    page = f"/admin/customers/customer/{customer.pk}/change/"
    for url in (f"{page}?revealed=1", page):
        said = admin_client.post(url, as_it_was_shown(customer)).content.decode()
        assert f"customer/{customer.pk} was forgotten: nothing is entered of them any more." in said

    assert Customer.objects.values().get() == erased


@pytest.mark.parametrize("revealed", [False, True])
def test_a_page_older_than_its_row_puts_no_consent_back(
    admin_client: Client, revealed: bool
) -> None:
    customer = a_customer()
    page = f"/admin/customers/customer/{customer.pk}/"
    shown = admin_client.post(f"{page}reveal/") if revealed else admin_client.get(f"{page}change/")
    seen = shown.context["adminform"].form["seen"].value()
    assert f'name="seen" value="{seen}"' in shown.content.decode()
    Customer.objects.update(sms_consent=False)  # on another page

    url = f"{page}change/?revealed=1" if revealed else f"{page}change/"
    form = {**as_it_was_shown(customer), "sms_consent": "on", "seen": seen}
    said = admin_client.post(url, form).content.decode()

    assert "It was changed meanwhile: open the page again." in said
    assert not Customer.objects.get().sms_consent


@pytest.mark.django_db(transaction=True)
def test_a_device_that_is_entered_while_its_owner_is_forgotten_goes_too() -> None:
    customer = a_customer()
    entered = threading.Event()

    def enter() -> None:
        with transaction.atomic():  # as the page does it
            Customer.objects.select_for_update().get()
            Device.objects.create(customer=customer, platform="ios", token="new")
            entered.set()
            wait_for(waiting_for_locks, within=20, what="the erasure to wait for this")

    def forget() -> None:
        assert entered.wait(20)
        forget_customer(customer_id=customer.pk)

    all_at_once([enter, forget])

    assert not Device.objects.exists()
