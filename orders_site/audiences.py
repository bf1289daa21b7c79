"""Whom the shop announces to: everybody, or those who want to hear by mail."""

from __future__ import annotations

from django.db.models import QuerySet

from notifications.audiences import audience
from orders_site.customers.models import Customer


def _person(customer: Customer) -> str:
    return f"customer/{customer.pk}"


def _data(customer: Customer) -> dict[str, int]:
    return {"customer_id": customer.pk}


@audience("customers", person=_person, data=_data, title="every customer")
def customers() -> QuerySet[Customer]:
    return Customer.objects.only("pk")


@audience("newsletter", person=_person, data=_data, title="customers who agreed to email")
def newsletter() -> QuerySet[Customer]:
    return Customer.objects.filter(email_consent=True).only("pk")
