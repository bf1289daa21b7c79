"""The shop's customers lead to what they were told, on every channel."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.shop import a_customer

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
